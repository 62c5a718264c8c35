"""Look at tags in a browser:   python -m tagger.serve bundle=album.tagger   (--help says more)."""

import getpass
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from omegaconf import DictConfig

from tagger.config import as_typed, needed
from tagger.errors import UserError, shown_plainly
from tagger.tags.corrections import CorrectionsFile
from tagger.tags.runtime import Tagger
from tagger.tags.serving.folder import Root
from tagger.tags.serving.hosts import EVERYONE, LOOPBACK, allowed, answering, bracketed, named

if TYPE_CHECKING:
    from tagger.tags.serving.desk import Desk

BODIES = 512 * 1000**2
"""Bytes of photos that are on their way or wait to be read, of all visitors together."""


@hydra.main(version_base="1.3", config_path="../conf", config_name="serve")
def main(config: DictConfig) -> None:
    """Serve a page on which photos are tagged, thresholds moved and tags corrected."""
    with shown_plainly(), ExitStack() as open_until_the_end:
        needed(config, "bundle")
        check(config)
        hosts = named(config.hosts)
        try:
            from tagger.tags.serving.application import Application
            from tagger.tags.serving.body import Bodies
            from tagger.tags.serving.desk import Desk
            from tagger.tags.serving.reading import Reading
            from tagger.tags.serving.server import listening, run
            from tagger.tags.serving.visitors import Visitors
            from tagger.tags.serving.workers import Workers
        except ModuleNotFoundError as error:
            raise UserError(f"the page needs {error.name}: pip install 'tagger[serve]'") from error
        root = None if config.root is None else Root(Path(config.root))
        path = Path(config.bundle).expanduser()
        tagger = Tagger.load(path, profile=config.profile)
        language = config.language or tagger.language
        check_language(tagger, language)
        corrections = open_until_the_end.enter_context(CorrectionsFile(Path(config.corrections).expanduser()))
        listener = open_until_the_end.enter_context(listening(config.host, config.port))
        port = listener.getsockname()[1]
        max_bytes = int(config.max_megabytes * 1e6)
        beside = tagger.detecting.framing if tagger.detecting else None
        desk = Desk(
            name=path.name,
            tagger=tagger,
            workers=Workers(Reading(tagger.framing, beside, max_bytes=max_bytes, root=root)),
            corrections=corrections,
            annotator=config.annotator or somebody(),
            language=language,
            max_photos=config.max_photos,
            max_bytes=max_bytes,
            root=root.name if root else None,
        )
        page = Application(desk, Visitors(desk.newcomer), Bodies(most=max(BODIES, max_bytes)), cookie=f"tagger-{port}")
        announce(config.host, hosts, port, desk)
        run(page.app(allowed(config.host, hosts)), listener)
        print("stopped", file=sys.stderr)


def check(config: DictConfig) -> None:
    """Refuse settings that are out of range.

    Raises:
        UserError: Says which.
    """
    if not 0 <= config.port <= 65535:
        raise UserError(f"port must lie in [0, 65535], got {config.port}")
    if not 1 <= config.max_photos <= 10_000:
        raise UserError(f"max_photos must lie in [1, 10000], got {config.max_photos}")
    if not 0 < config.max_megabytes <= 1000:
        raise UserError(f"max_megabytes must lie in (0, 1000], got {config.max_megabytes}")


def check_language(tagger: Tagger, language: str) -> None:
    """Refuse a language in which no label has a name.

    Raises:
        UserError: Names the languages that there are.
    """
    known = sorted({name for label in tagger.labels for name in label.names})
    if language != "en" and language not in known:
        raise UserError(f"language={language}: the bundle's labels have names in {', '.join(known) or 'no language'}")


def somebody() -> str:
    """Return the name of the user, who gives the verdicts."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


def announce(host: str, hosts: Sequence[str], port: int, desk: "Desk") -> None:
    """Say where the page is, and what of it others can reach."""
    if host not in LOOPBACK:
        and_photos = f" and see the photos in {desk.root}" if desk.root else ""
        print(
            f"warning: host={host} lets everyone who reaches this machine drop photos, correct tags{and_photos}; "
            "there is no password",
            file=sys.stderr,
        )
    if host in EVERYONE and not hosts:
        print(
            "warning: it answers this machine alone until hosts says what others type into their browsers, "
            f"for instance hosts={socket.gethostname()}; by other names they are told: Invalid host header",
            file=sys.stderr,
        )
    print(f"corrections  {desk.corrections.path}")
    for name in dict.fromkeys((*(answering(host) or LOOPBACK[:1]), *hosts)):
        print(f"page         http://{bracketed(name)}:{port}/   (Ctrl-C ends it)", flush=True)


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:], "bundle", "profile", "root", "corrections", "annotator", "hosts")
    main()
    # All is closed, and what is left of libraries and their threads is not waited for.
    sys.stdout.flush()
    os._exit(0)
