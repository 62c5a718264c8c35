"""How onnxruntime is opened, for the network of a bundle and for detectors: within bounds of time and of memory.

A graph may come from anybody. It is parsed before onnxruntime sees it (`tagger.tags.onnx_file`), it is opened and run
in a thread that is not waited for longer than a graph of its kind takes, and what it computes with comes out of one
store of a fixed size. Who has a slow machine or a large network moves both bounds by the environment.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from threading import Thread
from typing import Any

from tagger.errors import UserError
from tagger.tags.onnx_file import check_onnx

SECONDS, MEMORY = "TAGGER_GRAPH_SECONDS", "TAGGER_GRAPH_GIB"
"""Environment variables: seconds that opening a graph, or one photo, may take; GiB that all graphs may compute in."""

DEFAULTS = {SECONDS: 15.0, MEMORY: 4.0}

SLOWER = 20
"""How much longer than the first photo any other may take beyond these seconds: other processes take the cores."""


class SessionError(ValueError):
    """A graph that cannot be opened, does not run, or does not end; the message says which."""


class Session:
    """A graph that is ready to compute.

    Args:
        session: Of onnxruntime.
        seconds: That opening it and one photo may take.
        opening: Seconds that opening it took.
    """

    def __init__(self, session: Any, *, seconds: float, opening: float) -> None:
        self.seconds = seconds
        self.first: float | None = None
        """Seconds that the first photo took."""
        self._opening = opening
        self._session = session

    @property
    def inputs(self) -> Sequence[Any]:
        """Names, types and shapes of what it takes, as onnxruntime has them."""
        return self._session.get_inputs()  # type: ignore[no-any-return]

    @property
    def outputs(self) -> Sequence[Any]:
        """The same of what it gives."""
        return self._session.get_outputs()  # type: ignore[no-any-return]

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, Any], *, photos: int = 1) -> list[Any]:
        """Return outputs of the graph.

        Args:
            outputs: Their names; None: all.
            inputs: By name.
            photos: How many these are.

        Raises:
            SessionError: If it fails or takes too long.
        """
        import onnxruntime

        options, started = onnxruntime.RunOptions(), time.monotonic()
        # What onnxruntime would print, it also raises.
        options.log_severity_level = 4
        left = self.seconds - self._opening if self.first is None else self.seconds + SLOWER * photos * self.first
        values: list[Any] = _within(
            max(1.0, left),
            lambda: self._session.run(outputs, dict(inputs), options),
            # Stops a graph between two operators; within one there is no stopping it.
            stop=lambda: setattr(options, "terminate", True),
        )
        if self.first is None:
            self.first = (time.monotonic() - started) / max(1, photos)
        return values


def open_session(model: bytes, *, threads: int | None, control_flow: bool = False) -> Session:
    """Return a session of a graph.

    Args:
        model: The ONNX graph.
        threads: Threads it computes with; None takes as many as there are cores.
        control_flow: Whether operators may hold graphs, as those of detectors do.

    Raises:
        UserError: If onnxruntime is missing, or a bound is no number.
        ValueError: If the graph cannot be read, is one that files from outside may not hold, or takes too long.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError("this needs onnxruntime: pip install tagger[runtime]") from error
    seconds, started = bound(SECONDS), time.monotonic()
    check_onnx(model, control_flow=control_flow)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    # What onnxruntime would print, it also raises.
    options.log_severity_level = 4
    # Threads that wait in a loop take the cores from the processes that decode photos.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Else what begins like onnxruntime's own format is read as that, which nothing here has looked at.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    _limit_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    opened = _within(seconds, lambda: onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]))
    return Session(opened, seconds=seconds, opening=time.monotonic() - started)


def bound(name: str) -> float:
    """Return a bound: that of the environment, else the default.

    Raises:
        UserError: If the environment has no number above 0.
    """
    given = os.environ.get(name) or DEFAULTS[name]
    try:
        value = float(given)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UserError(f"{name}={given} must be a number above 0")
    return value


@cache
def _limit_memory() -> None:
    """Let all sessions of this process that ask for it compute in one store of a fixed size."""
    import onnxruntime as ort

    store = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(store, ort.OrtArenaCfg({"max_mem": int(bound(MEMORY) * 2**30)}))


def _within(seconds: float, work: Callable[[], Any], *, stop: Callable[[], None] = lambda: None) -> Any:
    """Return what a function returns, unless it takes too long; then it is left behind.

    Raises:
        SessionError: If onnxruntime refuses, or it takes longer.
    """
    future: Future[Any] = Future()

    def worker() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    # A daemon: the process may end while it is still at it.
    Thread(target=worker, name="onnxruntime", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError as error:
        stop()
        raise SessionError(
            f"it did not end within {seconds:.3g} s; {SECONDS}=60 gives it longer, if you know where it comes from"
        ) from error
    # onnxruntime's exceptions have no common ancestor of their own.
    except Exception as error:
        raise SessionError(_said(error)) from error


def _said(error: Exception) -> str:
    """Return onnxruntime's first line without where it is in its source, and what helps."""
    line = (str(error) or type(error).__name__).splitlines()[0][:300]
    if "bfc_arena" in line:
        return f"it takes more than {bound(MEMORY):.3g} GiB; {MEMORY}=16 allows more, if you know where it comes from"
    return line
