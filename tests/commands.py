"""Commands as typed, without the seven seconds that a new interpreter spends on imports.

``run`` and ``Popen`` are those of `subprocess`, for commands that begin with ``sys.executable``. The command runs in a
process forked from one that has imported everything and done nothing else: with its own pid, folder, arguments,
environment, streams, signals, and the exit code or the signal that `subprocess` would report.

    done = commands.run([sys.executable, "-m", "tagger.train", "plan=true"], cwd=folder, capture_output=True, text=True)

What a fork cannot show, because the modules are there already, wants a new interpreter and `subprocess`: what a command
imports, ``sitecustomize``, and the environment variables that Python or a library reads when it starts.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

LATE = """
    PIL.GifImagePlugin PIL.JpegImagePlugin PIL.PpmImagePlugin PIL.TiffImagePlugin PIL.WebPImagePlugin PIL._imagingmath
    alembic.command fsspec.implementations.local git git.objects git.refs hydra._internal.hydra
    hydra._internal.callbacks hydra._internal.core_plugins.bash_completion hydra._internal.core_plugins.basic_launcher
    hydra._internal.core_plugins.basic_sweeper hydra_plugins.hydra_joblib_launcher.joblib_launcher
    hydra_plugins.hydra_submitit_launcher.submitit_launcher matplotlib.backends.backend_agg
    matplotlib.backends.backend_svg mlflow.pyfunc mlflow.store.tracking.sqlalchemy_store mlflow.tracing onnx onnxscript
    opentelemetry.sdk.trace optuna pyarrow.compute pyarrow.csv pyarrow.dataset pyarrow.json pyarrow.parquet
    scipy.fftpack sklearn.metrics sqlalchemy.dialects.sqlite torch._dynamo torch.distributed torch.onnx
    torch.utils.mkldnn
"""
"""What commands import while they run. Not onnxruntime: its import starts a thread, which a fork would lack."""

MESSAGE_BYTES = 1 << 20

LAUNCHER = """#!{python} -IS
import json, os, signal, socket, sys

if sys.argv[1] != "-m" or not sys.argv[2].startswith("tagger."):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect({address!r})
request = dict(words=sys.argv[1:], cwd=os.getcwd(), environment=dict(os.environ), new_session=True, forks_all=True)
socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
pid = int(connection.recv(20))
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(pid, number))
code = int(connection.recv(20))
if code < 0:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""
"""What is `sys.executable` to a command: the commands that it starts are forked, too, and end with this process."""


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """A started command.

    What it starts itself is forked in the same way, unless ``forks_all=False``: then a tracer sees it as its child.
    """

    def __init__(self, command: Sequence[Any], *, forks_all: bool = True, **settings: Any) -> None:
        self._forks_all = forks_all
        super().__init__(command, **settings)

    def _execute_child(self, args: Sequence[Any], *settings: Any) -> None:
        """Have it forked. The settings are subprocess's own, in the order in which its Popen hands them over."""
        _, _, _, _, cwd, env, _, _, _, *pipes, _, _, _, _, _, new_session, _ = settings
        executable, *words = map(os.fspath, args)
        assert executable == sys.executable, f"{executable}: only commands of this Python can be forked"
        request = {
            "words": words,
            "cwd": os.fspath(cwd or Path.cwd()),
            "environment": dict(os.environ if env is None else env),
            "new_session": new_session,
            "forks_all": self._forks_all,
        }
        stdin, _, _, stdout, _, stderr = pipes
        streams = [own if given == -1 else given for own, given in enumerate((stdin, stdout, stderr))]
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(server())
        socket.send_fds(self._connection, [json.dumps(request).encode()], streams)
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
        self.pid = int(self._connection.recv(20))
        self._child_created = True

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._wait(timeout=0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    assert timeout is not None
                    raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(self._connection.recv(20))
            self._connection.close()
        return self.returncode


def run(
    command: Sequence[Any],
    *,
    capture_output: bool = False,
    input: Any = None,  # noqa: A002 - as subprocess calls it
    timeout: float | None = None,
    check: bool = False,
    **settings: Any,
) -> "subprocess.CompletedProcess[Any]":
    """Run a command to its end."""
    if capture_output:
        settings |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        settings["stdin"] = subprocess.PIPE
    with Popen(command, **settings) as process:
        try:
            output, errors = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, output, errors)
    if check:
        done.check_returncode()
    return done


@cache
def server() -> str:
    """Start the process that commands are forked from, once in a process; returns the address that it listens at."""
    folder = tempfile.TemporaryDirectory(prefix="commands")
    address = f"{folder.name}/socket"
    started = subprocess.Popen([sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert started.stdin and started.stdout
    assert started.stdout.read() == b"ready", "the process that commands are forked from did not start"
    atexit.register(lambda: (started.communicate(), folder.cleanup()))
    return address


def import_everything() -> dict[str, str]:
    """Import what commands import; returns the environment variables that imports added."""
    before = dict(os.environ)
    package = Path(__file__).parents[1] / "tagger"
    for path in sorted(package.glob("[!_]*.py")):
        importlib.import_module(f"tagger.{path.stem}")
    for name in LATE.split():
        # Some are parts of extras.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    assert "onnxruntime" not in sys.modules, "what starts a thread while it is imported cannot be forked"
    return {name: value for name, value in os.environ.items() if name not in before}


def serve(listener: socket.socket, launcher: str, added: dict[str, str]) -> list[str]:
    """Fork a process for every connection and tell how it ended; returns only in the forked ones, with their words."""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    # Whoever started us has ended.
                    os._exit(0)
                elif key.fileobj is listener:
                    connection, _ = listener.accept()
                    message, streams, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 3)
                    pid = os.fork()
                    if not pid:
                        for other in (connection, *(key.fileobj for key in selector.get_map().values() if key.fd)):
                            other.close()  # type: ignore[union-attr]
                        return become(json.loads(message), streams, launcher, added)
                    for stream in streams:
                        os.close(stream)
                    connection.send(b"%d" % pid)
                    ending = os.fdopen(os.pidfd_open(pid))
                    selector.register(connection, selectors.EVENT_READ, pid)
                    selector.register(ending, selectors.EVENT_READ, (pid, connection))
                elif key not in selector.get_map().values():
                    continue
                elif isinstance(key.data, int):
                    # Whoever waits for it has ended, and is no longer there to stop it.
                    selector.unregister(key.fileobj)
                    os.kill(key.data, signal.SIGKILL)
                else:
                    pid, connection = key.data
                    selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
                    _, status = os.waitpid(pid, 0)
                    if connection in selector.get_map():
                        selector.unregister(connection)
                        with contextlib.suppress(BrokenPipeError):
                            connection.send(b"%d" % os.waitstatus_to_exitcode(status))
                    connection.close()


def become(request: Mapping[str, Any], streams: Sequence[int], launcher: str, added: Mapping[str, str]) -> list[str]:
    """Turn this process, which was forked just now, into one that was started as requested; returns its words."""
    for own, stream in enumerate(streams):
        os.dup2(stream, own)
        os.close(stream)
    os.chdir(request["cwd"])
    if request["new_session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update({**added, **request["environment"]})
    time.tzset()
    tempfile.tempdir = None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    words: list[str] = request["words"]
    # As in a new interpreter: what is run has not been imported before.
    sys.modules.pop(words[1], None)
    sys.orig_argv = [sys.executable, *words]
    if request["forks_all"]:
        sys.executable = launcher
    sys.argv = ["-c" if words[0] == "-c" else words[1], *words[2:]]
    sys.path[0] = os.getcwd() if words[0] == "-m" else ""  # noqa: PTH109 - strings, as Python's own
    added_paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [path for path in added_paths if path and path not in sys.path]
    return words


def main(address: str) -> list[str]:
    # A Ctrl-C in the terminal is for pytest.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    added = import_everything()
    launcher = Path(address).with_name("python")
    launcher.write_text(LAUNCHER.format(python=sys.executable, address=address))
    launcher.chmod(0o700)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen()
    gc.collect()
    # Shared with the forked processes as long as nobody writes to it.
    gc.freeze()
    os.write(1, b"ready")
    # Not to keep anybody waiting for its end.
    os.dup2(2, 1)
    return serve(listener, str(launcher), added)


if __name__ == "__main__":
    WORDS = main(sys.argv[1])
    # Here, at the end of a program, and not in a function: what is raised now ends the interpreter as it always does.
    if WORDS[0] == "-m":
        runpy.run_module(WORDS[1], run_name="__main__", alter_sys=True)
    elif WORDS[0] == "-c":
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(WORDS[1], "<string>", "exec"), vars(sys.modules["__main__"]))
    else:
        sys.argv = WORDS
        runpy.run_path(WORDS[0], run_name="__main__")
