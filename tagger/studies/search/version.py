"""The version of the experiment that a search writes, and whether it may write it."""

import re
from collections.abc import Iterable
from pathlib import Path

from omegaconf import OmegaConf

from tagger.errors import UserError

EXPERIMENTS = Path(__file__).parents[3] / "conf" / "experiment"
"""Those that come with the framework."""


def mark_of(search: str) -> str:
    """Return the line by which a file says that a search wrote it.

    Example:
        >>> mark_of("found_head")
        '# Found by the search found_head'
    """
    return f"# Found by the search {search}"


def is_written_by(path: Path, search: str) -> bool:
    """Say whether a file is there and this search wrote it."""
    if not path.is_file():
        return False
    return any(line.startswith(mark_of(search) + ":") for line in path.read_text(encoding="utf-8").splitlines())


def version_for(path: Path, search: str, *, wanted: str | None) -> str:
    """Return the version of an experiment before it is written.

    Args:
        path: The experiment, beside the others.
        search: Name of the search.
        wanted: vN.N; None: that of the file if the search wrote it, else the next free one.

    Raises:
        UserError: If the file is there and another wrote it, or the version is used.
    """
    if path.exists() and not is_written_by(path, search):
        raise UserError(f"{path} is there and the search {search} did not write it: give the search another name=…")
    used = _versions(EXPERIMENTS) | _versions(path.parent)
    own = used.pop(path.stem, None)
    if wanted is None:
        return own or _next(used.values())
    if not re.fullmatch(r"v\d+\.\d+", wanted):
        raise UserError(f"version={wanted}: a version is like v4.0")
    for name, version in used.items():
        if version == wanted:
            raise UserError(f"version={wanted}: the experiment {name} has it; {_next(used.values())} is free")
    return wanted


def _versions(folder: Path) -> dict[str, str]:
    return {path.stem: str(OmegaConf.select(OmegaConf.load(path), "version")) for path in sorted(folder.glob("*.yaml"))}


def _next(versions: Iterable[str]) -> str:
    """Return the next version of the highest major number."""
    numbers = [tuple(map(int, found.groups())) for text in versions if (found := re.fullmatch(r"v(\d+)\.(\d+)", text))]
    major, minor = max(numbers, default=(0, 0))
    return f"v{major}.{minor + 1}"
