"""A desk without a server: photos are read in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tagger import Tagger
from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo
from tagger.tags.corrections import CorrectionsFile
from tagger.tags.serving.desk import Desk
from tagger.tags.serving.folder import Root
from tagger.tags.serving.reading import Reading, ReadPhoto


class Here:
    """Workers that are no processes."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    async def start(self) -> None:
        pass

    async def read(self, photo: bytes | bytearray | str) -> ReadPhoto:
        return self.reading.photo(photo)

    async def folder(self, name: str, *, limit: int) -> list[str]:
        return self.reading.folder(name, limit)

    async def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photos of the sample album."""
    folder = tmp_path_factory.mktemp("drawn")
    paths = [folder / f"{number}.jpg" for number in range(20)]
    for number, path in enumerate(paths):
        draw_photo(plan_photo(0, number), size=96).save(path)
    return paths


@pytest.fixture
def make_desk(delivered: Path, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Make the desk of a server; two at a time need two files of corrections."""
    opened = []

    def make(tagger: Tagger | None = None, *, root: Path | None = None, **settings: Any) -> Desk:
        tagger = tagger or Tagger.load(delivered / "album.tagger")
        corrections = CorrectionsFile(settings.pop("corrections", tmp_path / "corrections.jsonl"))
        opened.append(corrections)
        max_bytes = settings.get("max_bytes", 10**6)
        reading = Reading(tagger.framing, None, max_bytes=max_bytes, root=None if root is None else Root(root))
        defaults = {
            **{"name": "album.tagger", "tagger": tagger, "workers": Here(reading), "corrections": corrections},
            **{"annotator": "ann", "language": "en", "max_photos": 100, "max_bytes": max_bytes},
            "root": root and str(root),
        }
        return Desk(**defaults | settings)

    yield make
    for corrections in opened:
        corrections.close()
