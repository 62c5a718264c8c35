"""Nothing leaves the machine: strace sees every address that the commands ask for or connect to."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tagger

SETTINGS = {
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

RUNNER = """
import contextlib, json, os, runpy, signal, socket, sys, threading, time
from glob import glob

def stop_when_it_serves(port):
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.1)
    # Looks that are repeated while nobody does anything.
    time.sleep(4)
    os.kill(os.getpid(), signal.SIGINT)

codes = {}
for verb, *words in json.loads(sys.argv.pop()):
    (run,) = glob("runs/studies/quiet/a1/train/*") or [""]
    sys.argv = [f"tagger.{verb}", *(word.replace("RUN", run) for word in words)]
    if verb == "serve":
        threading.Thread(target=stop_when_it_serves, args=[int(words[-1].partition("=")[2])], daemon=True).start()
    try:
        runpy.run_module(f"tagger.{verb}", run_name="__main__", alter_sys=True)
        codes[verb] = 0
    except SystemExit as error:
        codes[verb] = error.code or 0
    except KeyboardInterrupt:
        codes[verb] = "interrupted"
    # After each: serve ends the process.
    print(json.dumps(codes), flush=True)
"""
"""All verbs one after the other in one interpreter, whose imports take longest; the study trains in another one."""


def strangers(trace: str) -> list[str]:
    """Return the calls that ask for, or send to, what is not on this machine; names are asked for on port 53.

    Example:
        >>> dns = 'connect(4, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}, 16) = 0'
        >>> here = 'connect(4, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0'
        >>> len(strangers(dns)), strangers(here)
        (1, [])
    """
    addressed = [line for line in trace.splitlines() if re.search(r"AF_INET6?\b|systemd/resolve", line)]
    here = re.compile(r'inet_addr\("127\.|"::1"|"::ffff:127\.')
    return [line for line in addressed if not here.search(line) or "htons(53)" in line]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def traced(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Return a function that runs Python under strace, and returns what it printed and its network calls."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: apt-get install strace")
    trace = tmp_path / "trace"
    calls = [strace, "-f", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(trace)]
    if subprocess.run([*calls, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")

    def run(*words: str, cwd: Path) -> tuple[str, str]:
        # Libraries are silent where they are tested, and so would this be of no use.
        kept = {name: value for name, value in os.environ.items() if not re.match(r"CI$|PYTEST_|GITHUB_", name)}
        env = {name: value for name, value in kept.items() if name not in SETTINGS} | {"HOME": str(tmp_path)}
        done = subprocess.run(
            [*calls, sys.executable, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, trace.read_text()

    return run


def test_what_tells_makers_of_its_use_is_off_unless_the_environment_says_otherwise() -> None:
    show = f"import tagger, os, json; print(json.dumps([os.environ[name] for name in {list(SETTINGS)}]))"
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    env |= {"PYTHONPATH": str(Path(tagger.__file__).parents[1])}

    def shown(**own: str) -> list[str]:
        done = subprocess.run([sys.executable, "-c", show], env=env | own, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    assert shown() == list(SETTINGS.values())
    assert shown(ORT_DISABLE_TELEMETRY="0") == ["0", *list(SETTINGS.values())[1:]], "who wants it has it"


@pytest.mark.slow
def test_a_tracer_sees_a_name_that_is_asked_for(traced: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    ask = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 53))"
    assert strangers(traced("-c", f"import contextlib\nwith contextlib.suppress(OSError):\n    {ask}", cwd=tmp_path)[1])


@pytest.mark.slow
def test_no_command_asks_for_or_speaks_to_anything_but_this_machine(
    colours: Callable[..., Path], traced: Callable[..., tuple[str, str]], tmp_path: Path
) -> None:
    root, cwd = colours(40), tmp_path / "work"
    (cwd / "own" / "study").mkdir(parents=True)
    data = ["data=folder", f"data.root={root}", "data.source.folder=colours", f"data.taxonomy={root}/colours.yaml"]
    network = ["network=timm", "network.backbone=test_efficientnet", "network.weights=null", "regime=everything"]
    tiny = [*data, *network, "data.size=32", "data.workers=0", "trainer.max_epochs=1"]
    study = {"question": "?", "baseline": "a1", "seeds": [0], "words": tiny, "versions": {"a1": []}, "minutes": 5}
    (cwd / "own" / "study" / "quiet.yaml").write_text(json.dumps(study))
    (cwd / "space.yaml").write_text("optimizer.lr: {low: 1e-3, high: 1e-2}")
    images = f"{root}/colours/images"
    commands = [
        ["study", "study=quiet", "output=null", f"hydra.searchpath=[file://{cwd}/own]"],
        ["export", "checkpoint=RUN/checkpoints/best.ckpt", "bundle=a.tagger"],
        ["predict", "bundle=a.tagger", f"photos={images}", "output=tags.jsonl", "gallery=a.html", "workers=0"],
        ["prepare", *data, "data.workers=0"],
        ["compare", "runs={a: RUN, b: RUN}", "baseline=a", "output=compared", "resamples=50"],
        ["mine", "what=similar", f"examples={images}/000.png", f"pool={images}", "size=32", "workers=0"],
        ["clean", "step=labels", *data, "data.workers=0"],
        ["search", "space=space.yaml", "budget=1", "confirm=0", "experiments=own/experiment", *tiny],
        ["serve", "bundle=a.tagger", f"port={free_port()}"],
    ]
    printed, trace = traced("-c", RUNNER, json.dumps(commands), cwd=cwd)
    codes = json.loads([line for line in printed.splitlines() if line.startswith("{")][-1])
    assert "stopped" in printed or "page " in printed, "the page was not served"
    assert {verb for verb, code in codes.items() if code} == {"clean"}, "which has no scores to rank"
    assert "connect" in trace, "a trace of nothing would prove nothing"
    assert strangers(trace) == []
    assert not (tmp_path / ".cache" / "Microsoft").exists(), "onnxruntime keeps an id of the machine there"
