"""Photos that a search engine found for a keyword: candidates of a label, and never the truth.

What a crawler leaves is read in two forms: ``<root>/<keyword>/*.jpg``, or a manifest, a CSV or JSONL of ``file`` and
``keyword``. :func:`crawl_keywords` makes both at once; nobody but the owners of the photos can say what they may be
used for, so it keeps where each came from.
"""

import io
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from filelock import FileLock

from tagger.data.finding import is_photo_name, left_out
from tagger.data.photo import BadPhoto, decode, open_photo
from tagger.data.sources.csv_table import CsvFormat, read_csv
from tagger.data.sources.json_lines import json_lines
from tagger.data.sources.paths import photos_by_folder, staying
from tagger.data.sources.source import Chunk, Folds, Skipped, SourceError
from tagger.data.sources.tables import annotation_table, photo_table
from tagger.data.states import Unknown

MANIFEST = "manifest.jsonl"
"""What :func:`crawl_keywords` writes: ``file``, ``keyword``, ``url``, ``engine`` and ``time``."""

MAX_BYTES = 50_000_000
"""A crawled photo above this is not kept."""


@dataclass(frozen=True, kw_only=True)
class Crawl:
    """A folder that a crawler filled."""

    root: str
    manifest: str | None = None
    """A ``.csv``, ``.tsv`` or ``.jsonl``, relative to the root or absolute, with the columns file (relative to the
    root) and keyword. None: every sub-folder is named after its keyword."""
    encoding: str | None = None
    """Of a CSV; None: UTF-8, or UTF-16 if the first bytes say so."""
    vocabulary: str = "crawl"
    exhaustive: bool = field(default=False, init=False)
    unknown: Unknown = "ignore"
    folds: Folds = "train"

    def chunks(self, skipped: Skipped) -> Iterator[Chunk]:
        """Yield the photos, and their keywords as opinions of a product; the key of a photo is its path.

        Entries of a manifest without file or keyword, and files that leave the folder, are counted as left out.

        Raises:
            SourceError: If the folder or the manifest cannot be read.
        """
        root = Path(self.root).expanduser()
        if self.manifest is None:
            for keyword, paths in photos_by_folder(root, skipped):
                yield Chunk(photo_table(paths, paths), annotation_table(paths, keyword, origin="product"))
            return
        file = root / self.manifest
        rows = staying(_entries(file, self.encoding, skipped), "file", skipped, file)
        photos = rows["file"].unique()
        annotations = annotation_table(rows["file"], rows["keyword"], origin="product", line=rows["line"])
        yield Chunk(photo_table(photos, photos), annotations, str(file))


def _entries(file: Path, encoding: str | None, skipped: Skipped) -> pa.Table:
    """Return the columns file, keyword and line of a manifest; of a pair that is listed twice, the first."""
    if file.suffix.lower() in (".csv", ".tsv"):
        rows = read_csv(file, {"file": "file", "keyword": "keyword"}, form=CsvFormat(encoding=encoding))
        found: Iterable[tuple[Any, ...]] = zip(
            *(rows[column].to_pylist() for column in ("line", "file", "keyword")), strict=True
        )
    elif file.suffix.lower() == ".jsonl":
        found = ((line, entry.get("file"), entry.get("keyword")) for line, entry in json_lines(file, skipped))
    else:
        raise SourceError(f"manifest {file}: expected a name that ends in .csv, .tsv or .jsonl")
    lines: dict[tuple[str, str], int] = {}
    for line, photo, keyword in found:
        if isinstance(photo, str) and isinstance(keyword, str) and photo and keyword:
            if lines.setdefault((photo, keyword), line) != line:
                skipped.add("keyword of a photo listed again", f"{file}, line {line}")
        else:
            skipped.add("no file or no keyword", f"{file}, line {line}")
    columns = [[photo for photo, _ in lines], [keyword for _, keyword in lines], list(lines.values())]
    schema = pa.schema({"file": pa.string(), "keyword": pa.string(), "line": pa.int64()})
    return pa.table(columns, schema=schema)


def crawl_keywords(
    keywords: Iterable[str], root: Path | str, *, engine: str | type = "bing", photos: int = 100, threads: int = 4
) -> dict[str, int]:
    """Fill ``<root>/<keyword>/`` with photos that a search engine finds, until each keyword has enough.

    It can be stopped and called again: what is there stays, is counted and is not fetched again. A photo is kept if it
    opens as one; its line in ``<root>/manifest.jsonl`` is written after it.

    Args:
        keywords: What to search for; each is also the name of a folder.
        root: Made if it does not exist.
        engine: ``bing``, ``baidu`` or ``google``, or a crawler class of ``icrawler`` that takes a keyword.
        photos: How many each keyword should have in the end; a few more if several arrive at once.
        threads: Photos that are fetched at a time.

    Returns:
        How many photos are new, per keyword.

    Raises:
        SourceError: If icrawler is missing, a keyword cannot name a folder, the engine is not known, or nothing at all
            was found, as without a network.
    """
    keywords = [_as_folder(keyword) for keyword in keywords]
    root, crawler = Path(root).expanduser(), _crawler(engine)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "crawl.lock"):
        _end_line(root / MANIFEST)
        before = {keyword: _photos(root / keyword) for keyword in keywords}
        wanted = {keyword: photos - count for keyword, count in before.items() if count < photos}
        for keyword, count in wanted.items():
            _crawl(keyword, count, root, crawler, results=min(1000, 2 * photos), threads=threads)
        new = {keyword: _photos(root / keyword) - count for keyword, count in before.items()}
    if wanted and not any(new.values()):
        raise SourceError(
            f"no photo found for {', '.join(map(repr, wanted))}: without a network there is none; with one, the engine "
            "may answer in a form that icrawler does not know: try another engine or a newer icrawler"
        )
    return new


def _as_folder(keyword: str) -> str:
    """Return a keyword that can name a folder.

    Example:
        >>> _as_folder("苏格兰折耳猫")
        '苏格兰折耳猫'
        >>> _as_folder("../cat")
        Traceback (most recent call last):
        ...
        tagger.data.sources.source.SourceError: keyword '../cat' cannot name a folder: leave out / and a dot in front
    """
    if not keyword.isprintable() or not keyword.strip(". ") or keyword[0] == "." or set(keyword) & set("/\\"):
        raise SourceError(f"keyword {keyword!r} cannot name a folder: leave out / and a dot in front")
    return keyword


def _crawler(engine: str | type) -> Any:
    try:
        from icrawler import builtin
    except ImportError as error:
        raise SourceError("crawling needs icrawler: pip install 'tagger[crawl]'") from error
    if isinstance(engine, type):
        return engine
    engines = {"bing": "BingImageCrawler", "baidu": "BaiduImageCrawler", "google": "GoogleImageCrawler"}
    if engine not in engines:
        raise SourceError(f"engine must be one of {', '.join(engines)}, got {engine!r}")
    return getattr(builtin, engines[engine])


def _crawl(keyword: str, wanted: int, root: Path, crawler: Any, *, results: int, threads: int) -> None:
    """Fetch photos that the manifest does not know yet, until there are so many more or the results are used up."""
    entries = json_lines(root / MANIFEST, Skipped())
    known = {entry.get("url") for _, entry in entries if entry.get("keyword") == keyword}
    (root / keyword).mkdir(exist_ok=True)

    def record(task: dict[str, Any]) -> None:
        facts = {"file": f"{keyword}/{task['filename']}", "keyword": keyword, "url": task["file_url"]}
        facts |= {"engine": crawler.__name__, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        with (root / MANIFEST).open("a", encoding="utf-8") as manifest:
            manifest.write(json.dumps(facts, ensure_ascii=False) + "\n")

    crawling = crawler(
        downloader_cls=_downloader(),
        downloader_threads=threads,
        extra_downloader_args={"wanted": wanted, "known": known, "record": record},
        storage={"backend": "FileSystem", "root_dir": str(root / keyword)},
        log_level=logging.WARNING,
    )
    crawling.crawl(keyword=keyword, max_num=results, file_idx_offset="auto")


def _downloader() -> type:
    """Return icrawler's downloader, taught to skip what is known, to refuse what is no photo, and to keep a record."""
    from icrawler import ImageDownloader

    class PhotoDownloader(ImageDownloader):
        def __init__(
            self,
            threads: int,
            signal: Any,
            session: Any,
            storage: Any,
            *,
            wanted: int,
            known: set[Any],
            record: Callable[[dict[str, Any]], None],
        ) -> None:
            super().__init__(threads, signal, SimpleNamespace(get=partial(_get, session)), storage)
            self.wanted, self.known, self.record = wanted, known, record

        def worker_exec(self, max_num: int, *args: Any, **kwargs: Any) -> None:
            # The number of results to go through is not the number of photos to keep: some are known, some are gone.
            super().worker_exec(self.wanted, *args, **kwargs)

        def download(self, task: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            task["success"] = False
            if task["file_url"] not in self.known:
                # Nothing is overwritten: numbers go on behind the last file. To look for one, icrawler counts a photo
                # for a moment, and another thread may then believe that there are enough.
                super().download(task, *args, **kwargs | {"overwrite": True})

        def keep_file(self, task: dict[str, Any], response: Any, **kwargs: Any) -> bool:
            # One at a time: Pillow's limit on pixels is of the process.
            with self.lock:
                return _is_photo(response.content)

        def process_meta(self, task: dict[str, Any]) -> None:
            with self.lock:
                if task["success"]:
                    self.record(task)
                if self.fetched_num >= self.wanted:
                    # By itself it would notice after having fetched another one.
                    self.signal.set(reach_max_num=True)

    return PhotoDownloader


def _get(session: Any, url: str, *, timeout: float) -> SimpleNamespace:
    """Fetch no more than ``MAX_BYTES``, whatever the server sends."""
    with session.get(url, timeout=timeout, stream=True) as response:
        content = bytearray()
        for part in response.iter_content(65_536):
            content += part
            if len(content) > MAX_BYTES:
                # The code that a server would use: icrawler logs it, and does not try again.
                return SimpleNamespace(status_code=413, content=b"")
        return SimpleNamespace(status_code=response.status_code, content=bytes(content))


def _is_photo(content: bytes) -> bool:
    try:
        with open_photo(io.BytesIO(content)) as photo:
            decode(photo, at_least=(1, 1))
    except BadPhoto:
        return False
    return True


def _photos(folder: Path) -> int:
    names = (file.name for file in folder.iterdir()) if folder.is_dir() else ()
    return sum(is_photo_name(name) and not left_out(name) for name in names)


def _end_line(manifest: Path) -> None:
    """Make the file if it is missing, and end its last line if a killed process did not: the next begins a new one."""
    with manifest.open("ab+") as file:
        if file.tell():
            file.seek(-1, io.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
