"""A forked command is told from one in a new interpreter only by its speed."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import commands
import pytest

pytestmark = pytest.mark.slow

SEEN = """
import json, os, sys, threading, time
print(json.dumps([sys.argv, sys.orig_argv[1:], os.getcwd(), os.environ["GIVEN"], __name__, len(threading.enumerate()),
                  sys.stdin.read(), os.getpgid(0) == os.getpid(), sorted(os.listdir("/proc/self/fd"))[:3]]))
print("to stderr", file=sys.stderr)
"""


@pytest.mark.parametrize("new_session", [False, True])
def test_it_sees_what_a_new_interpreter_sees(tmp_path: Path, new_session: bool) -> None:
    environment = os.environ | {"GIVEN": "word"}
    seen = [
        run(
            [sys.executable, "-c", SEEN, "a", "b=c d"],
            cwd=tmp_path,
            env=environment,
            input="typed",
            text=True,
            capture_output=True,
            start_new_session=new_session,
            timeout=60,
        )
        for run in (subprocess.run, commands.run)
    ]
    assert seen[0].returncode == 0, seen[0].stderr
    assert vars(seen[0]) == vars(seen[1])


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(3)",
        "raise SystemExit('said')",
        "1 / 0",
        "raise KeyboardInterrupt",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import atexit; atexit.register(print, 'at the end'); print('before')",
        "import threading, time; threading.Thread(target=lambda: time.sleep(0.2) or print('thread')).start()",
    ],
)
def test_it_ends_as_a_new_interpreter_ends(code: str) -> None:
    words = [sys.executable, "-c", code]
    new, forked = (run(words, capture_output=True, text=True, timeout=60) for run in (subprocess.run, commands.run))
    assert (forked.returncode, forked.stdout) == (new.returncode, new.stdout)
    assert forked.stderr.splitlines()[-1:] == new.stderr.splitlines()[-1:]


def test_it_can_be_interrupted_waited_for_and_killed() -> None:
    words = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with commands.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            assert process.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.01)
            process.send_signal(number)
            assert process.wait(timeout=60) == -number == process.poll()


def test_one_that_takes_too_long_is_killed_and_what_it_said_is_told() -> None:
    words = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
    with pytest.raises(subprocess.TimeoutExpired) as late:
        commands.run(words, capture_output=True, timeout=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(late.value.output), 0)


def test_a_module_is_run_as_main_and_is_so_for_the_processes_that_it_starts(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(
        "import multiprocessing, sys\n"
        "def double(number): return 2 * number, __name__\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(double, [4]), sys.argv[1:])\n"
    )
    done = commands.run([sys.executable, "-m", "counting", "x"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[(8, '__mp_main__')] ['x']\n", "")


STARTING = """
import subprocess, sys
asked = subprocess.run([sys.executable, "-m", "tagger.compare"], capture_output=True, text=True)
print(asked.returncode, asked.stderr.startswith("error: runs=…"))
print(subprocess.run([sys.executable, "-c", "print('another')"], capture_output=True).stdout)
"""


def test_commands_that_it_starts_are_forked_too(tmp_path: Path) -> None:
    done = commands.run([sys.executable, "-c", STARTING], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1 True\nb'another\\n'\n", "")


SERVING = """
import subprocess, sys
server = subprocess.Popen([sys.executable, "-m", "tagger.serve", f"bundle={sys.argv[1]}/album.tagger", "port=0"])
sys.stdin.read()
server.kill()
print("ended with", server.wait())
"""


def test_commands_that_it_starts_can_be_killed(delivered: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", SERVING, delivered]
    with commands.Popen(words, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        port = next(int(found[1]) for line in process.stdout if (found := re.search(r"http://127.0.0.1:(\d+)", line)))
        socket.create_connection(("127.0.0.1", port)).close()
        process.stdin.close()
        # To its end: all of them had it open.
        assert "ended with -9" in process.stdout.read()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
