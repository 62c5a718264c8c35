"""The processes of one run: when one of them dies, the others end, and it is told once."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from tagger.errors import UserError
from tagger.parent import end_with_parent

_LOST = re.compile(r"gloo|NCCL|Connection (closed|reset) by peer|Broken pipe", re.IGNORECASE)
"""What PyTorch says where another process has gone."""


_FIRST = "TAGGER_FIRST_PROCESS"
"""Variable that holds the number of the first process of a run, for those that it starts."""


def follow_first() -> None:
    """Have a process that Lightning started for another rank end with the first one.

    From its beginning: the first may be killed before the two have met, and nothing would tell this one.
    """
    first, own = os.environ.get(_FIRST), str(os.getpid())
    if first in (None, own) or "LOCAL_RANK" not in os.environ:
        os.environ[_FIRST] = own
        return
    end_with_parent()
    try:
        os.kill(int(first), 0)
    except ProcessLookupError:
        # It was killed while this one began.
        raise SystemExit(1) from None


class EndTogether(Callback):
    """Ends this process, the first, with one sentence when one that it started dies, and those when it ends itself.

    Lightning's own watch kills the first process without a word.

    Args:
        on_end: Called before this process ends.
    """

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.on_end = on_end
        self.children: Sequence[subprocess.Popen[bytes]] = ()
        self.is_ending = threading.Event()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        launcher: Any = trainer.strategy.launcher
        if started := getattr(launcher, "procs", None):
            self.children = list(started)
            # Its watch looks at this list.
            started.clear()
            threading.Thread(target=self._watch, daemon=True).start()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if not _is_lost(exception):
            self.is_ending.set()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Whatever ends this process inside ends those that it started.

        Raises:
            UserError: Instead of PyTorch's words, if another process has gone.
        """
        parent = os.getppid()
        try:
            yield
        except RuntimeError as error:
            if not _is_lost(error):
                raise
            if self.children:
                # The watch ends this process as soon as it knows which one it was.
                time.sleep(10)
            elif "LOCAL_RANK" in os.environ and os.getppid() == parent:
                # The first process tells.
                raise SystemExit(1) from None
            raise UserError(
                "another process of this run has gone; the same command with resume=true goes on from the last "
                "checkpoint"
            ) from error
        finally:
            self.is_ending.set()
            if sys.exception() is not None:
                self._kill()

    def _watch(self) -> None:
        while not self.is_ending.wait(0.5):
            codes = [child.poll() for child in self.children]
            # Those that end because all of them do are no news.
            if any(codes) and not self.is_ending.wait(1):
                self._kill()
                (rank, code), *_ = [(rank, code) for rank, code in enumerate(codes, start=1) if code]
                print(f"error: {_death(rank, code, processes=1 + len(codes))}", file=sys.stderr, flush=True)
                self.on_end()
                os._exit(1)

    def _kill(self) -> None:
        for child in self.children:
            child.kill()


def _is_lost(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and "LOCAL_RANK" in os.environ and bool(_LOST.search(str(error)))


def _death(rank: int, code: int, *, processes: int) -> str:
    """Return in words how a process died.

    Example:
        >>> print(_death(1, -9, processes=2))
        process 1 (from 0) of 2 was killed by signal 9, as is done where there is too little memory: the others were \
ended; the same command with resume=true goes on from the last checkpoint
    """
    how = f"ended with exit code {code}, and has printed why above"
    if code < 0:
        how = f"was killed by signal {-code}" + ", as is done where there is too little memory" * (code == -9)
    return (
        f"process {rank} (from 0) of {processes} {how}: the others were ended; the same command with resume=true goes "
        "on from the last checkpoint"
    )
