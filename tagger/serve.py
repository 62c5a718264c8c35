"""Look at tags in a browser:   python -m tagger.serve bundle=album.tagger   (--help says more)."""

import getpass
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import hydra
from omegaconf import DictConfig

from tagger.config import as_typed, needed
from tagger.errors import UserError, shown_plainly
from tagger.tags.corrections import CorrectionsFile
from tagger.tags.runtime import Tagger
from tagger.tags.serving.border import LOOPBACK, Border
from tagger.tags.serving.desk import Desk
from tagger.tags.serving.folder import Root
from tagger.tags.serving.listening import listening
from tagger.tags.serving.reading import PhotoReader


@hydra.main(version_base="1.3", config_path="../conf", config_name="serve")
def main(config: DictConfig) -> None:
    """Serve a page on which photos are tagged, thresholds moved and tags corrected."""
    with shown_plainly(), ExitStack() as open_until_the_end:
        needed(config, "bundle")
        check(config)
        root = None if config.root is None else Root(Path(config.root))
        path = Path(config.bundle).expanduser()
        tagger = Tagger.load(path, profile=config.profile)
        language = config.language or tagger.language
        check_language(tagger, language)
        corrections = open_until_the_end.enter_context(CorrectionsFile(Path(config.corrections).expanduser()))
        listener = open_until_the_end.enter_context(listening(config.host, config.port))
        folder = Path(open_until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="tagger-")))
        prepare_gradio(folder)
        from tagger.tags.serving.page import Page
        from tagger.tags.serving.server import application, run

        max_bytes = int(config.max_megabytes * 1e6)
        beside = tagger.detecting.framing if tagger.detecting else None
        reader = open_until_the_end.enter_context(PhotoReader(tagger.framing, max_bytes=max_bytes, beside=beside))
        pictures = folder / "pictures"
        pictures.mkdir()
        desk = Desk(
            name=path.name,
            tagger=tagger,
            reader=reader,
            corrections=corrections,
            annotator=config.annotator or somebody(),
            pictures=pictures,
            root=root,
            language=language,
            max_photos=config.max_photos,
        )
        app = application(Page(desk).blocks, max_bytes=max_bytes)
        hosts = LOOPBACK if config.host in LOOPBACK else None
        announce(config.host, listener.getsockname()[1], corrections.path, root)
        run(Border(app, pictures, hosts), listener)
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


def prepare_gradio(files: Path) -> None:
    """Tell Gradio where its files are, and that nothing leaves the machine; before it is imported.

    Raises:
        UserError: If it is missing.
    """
    os.environ |= {
        "GRADIO_TEMP_DIR": str(files),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
    }
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise UserError("the page needs gradio: pip install tagger[serve]") from error


def somebody() -> str:
    """Return the name of the user, for who said what."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


def announce(host: str, port: int, corrections: Path, root: Root | None) -> None:
    """Say where the page is, and what of it others can reach."""
    shown = f"[{host}]" if ":" in host else host
    if host not in LOOPBACK:
        print(
            f"warning: host={host} lets everyone who reaches this machine drop photos, correct tags"
            + (f" and see the photos in {root.name}" if root else "")
            + "; there is no password",
            file=sys.stderr,
        )
    print(f"corrections  {corrections}")
    print(f"page         http://{shown}:{port}/   (Ctrl-C ends it)", flush=True)


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:], "bundle", "profile", "root", "corrections", "annotator")
    main()
