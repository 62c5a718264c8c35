import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tagger.studies.process import Ended, run_limited


def run(tmp_path: Path, code: str, *, seconds: float = 60.0, stop_seconds: float = 0.3) -> Ended:
    return run_limited(
        [sys.executable, "-c", code], output=tmp_path / "log", seconds=seconds, stop_seconds=stop_seconds
    )


def is_alive(number: int) -> bool:
    status = Path(f"/proc/{number}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text().strip()


def test_a_command_ends_as_it_says_and_its_output_is_added_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    ended = run(tmp_path, "import sys; print('out'); print('err', file=sys.stderr, flush=True); sys.exit(3)")
    assert (ended.exit_code, ended.was_late, ended.was_interrupted) == (3, False, False)
    assert sorted((tmp_path / "log").read_text().split()) == ["before", "err", "out"]


def test_a_command_that_takes_too_long_is_asked_to_end(tmp_path: Path) -> None:
    listens = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\ntime.sleep(60)"
    ended = run(tmp_path, listens, seconds=1.0, stop_seconds=30.0)
    assert (ended.exit_code, ended.was_late) == (7, True)
    assert ended.seconds < 30


def test_one_that_does_not_listen_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    deaf = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
time.sleep(60)
"""
    ended = run(tmp_path, deaf, seconds=1.5)
    assert (ended.exit_code, ended.was_late) == (-signal.SIGKILL, True)
    child = int(wait_for(tmp_path / "child"))
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_command_does_not_outlive_one_who_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    code = f"""
import sys
from pathlib import Path
from tagger.studies.process import run_limited
run_limited([sys.executable, "-c", {deaf!r}], output=Path({str(tmp_path / "log")!r}), seconds=60, stop_seconds=60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    child = int(wait_for(tmp_path / "child"))
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


@pytest.mark.parametrize(("seconds", "ended"), [(60, ["-15", "True"]), (2, ["-9", "True"])])
def test_ctrl_c_stops_the_command_even_while_one_that_is_late_is_asked_to_end(
    tmp_path: Path, seconds: float, ended: list[str]
) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    command = "import time; time.sleep(60)" if seconds > 2 else deaf
    code = f"""
import os, signal, sys, threading, time
from pathlib import Path
from tagger.studies.process import run_limited
threading.Timer(3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
ended = run_limited([sys.executable, "-c", {command!r}], output=Path({str(tmp_path / "log")!r}),
                    seconds={seconds}, stop_seconds=30)
print(ended.exit_code, ended.was_interrupted)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ)
    )
    assert done.stdout.split() == ended
