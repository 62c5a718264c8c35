"""Processes that read photos: what one is stuck in, or dies of, stops nobody else."""

import asyncio
import json
import os
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from typing import Any

from tagger.errors import UserError
from tagger.tags.serving.reading import LENGTHS, SECONDS, Reading, ReadPhoto, from_answer

COUNT = 3
"""Processes that read at a time, started as they are needed."""


class Worker:
    """A process that is asked one thing at a time; started when it is, and anew after it was ended."""

    def __init__(self, reading: Reading, *, seconds: float) -> None:
        self.reading, self.seconds = reading, seconds
        self.process: Process | None = None

    async def ask(self, what: str, *settings: Any) -> list[bytes]:
        """Return the parts of an answer.

        Raises:
            TimeoutError: If it took too long; the process is then ended.
            OSError, asyncio.IncompleteReadError: If the process died of it.
        """
        try:
            async with asyncio.timeout(self.seconds):
                process = await self.start()
                assert process.stdin
                assert process.stdout
                process.stdin.write(pickle.dumps((what, settings)))
                await process.stdin.drain()
                lengths = LENGTHS.unpack(await process.stdout.readexactly(LENGTHS.size))
                return [await process.stdout.readexactly(length) for length in lengths]
        except BaseException:
            await self.end()
            raise

    async def end(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            # Its pipes, which would be closed a moment later: at the end of the command there is none.
            self.process._transport.close()  # type: ignore[attr-defined]
            self.process = None

    async def start(self) -> Process:
        """Start the process, if it is not; return it."""
        if self.process is None:
            self.process = await self._started()
            assert self.process.stdin
            self.process.stdin.write(pickle.dumps(self.reading))
        return self.process

    async def _started(self) -> Process:
        return await asyncio.create_subprocess_exec(
            # -P: of the folder where the command was typed no more is imported than the command itself does.
            *(sys.executable, "-P", "-c", "from tagger.tags.serving.reading import main; main()"),
            stdin=PIPE,
            stdout=PIPE,
            # What libraries in C print of damaged photos is the photo's, not the command's.
            stderr=DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            # Ctrl-C is for the command, which then ends its workers.
            start_new_session=True,
        )


class Workers:
    """Some processes, each of which reads one photo at a time.

    Args:
        reading: How they read.
        count: How many there are.
        seconds: After which one is given up.
    """

    def __init__(self, reading: Reading, *, count: int = COUNT, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.all = [Worker(reading, seconds=seconds) for _ in range(count)]
        # Whoever has waited longest is next; the worker that read last is taken first, since it has been started.
        self.idle: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()
        for worker in self.all:
            self.idle.put_nowait(worker)

    async def start(self) -> None:
        """Start the process that is asked first: it takes as long as somebody takes to choose a photo."""
        await self.all[-1].start()

    async def read(self, photo: bytes | bytearray | str) -> ReadPhoto:
        """Read a photo: its bytes, or a path that :meth:`folder` gave."""
        try:
            return from_answer(await self._asked("photo", photo))
        except TimeoutError:
            return ReadPhoto(error=f"given up after {self.seconds:g} seconds")
        except (OSError, asyncio.IncompleteReadError):
            return ReadPhoto(error="the process that decoded it died: a crash, or no memory")

    async def folder(self, name: str, *, limit: int) -> list[str]:
        """Return the paths of the photos in a folder below the root, the first ones if there are more than ``limit``.

        Raises:
            UserError: If the folder is not there or not in the root, has no photo, or takes too long to look through.
        """
        try:
            facts = json.loads((await self._asked("folder", name, limit))[0])
        except (OSError, asyncio.IncompleteReadError) as error:
            raise UserError(f"the folder could not be looked through in {self.seconds:g} seconds") from error
        if "error" in facts:
            raise UserError(facts["error"])
        photos: list[str] = facts["photos"]
        return photos

    async def close(self) -> None:
        """End all processes."""
        for worker in self.all:
            await worker.end()

    async def _asked(self, what: str, *settings: Any) -> list[bytes]:
        worker = await self.idle.get()
        try:
            return await worker.ask(what, *settings)
        finally:
            self.idle.put_nowait(worker)
