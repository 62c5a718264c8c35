"""Tag an album:   python -m tagger.predict bundle=album.tagger photos=~/Pictures output=tags.jsonl   (--help)."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import yaml
from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from tagger.config import as_typed, needed
from tagger.data.finding import found
from tagger.data.sidecar_turn import count_turns
from tagger.data.skipped import Skipped
from tagger.data.storage import is_url
from tagger.errors import UserError, shown_plainly
from tagger.pages.left_out import print_left_out
from tagger.pages.visible import visible
from tagger.tags.gallery.page import Contents, Gallery, write_gallery
from tagger.tags.gallery.shown import KnownLabels
from tagger.tags.runtime import Tagger
from tagger.tags.tagging.album import tagged
from tagger.tags.tagging.near import offered
from tagger.tags.tagging.pixel_batches import pace
from tagger.tags.tagging.tag_file import Names, TagFile, TaggedPhoto, plain, read_lines
from tagger.tags.xmp.keywords import Namer
from tagger.tags.xmp.sidecars import Sidecars, only_here


@hydra.main(version_base="1.3", config_path="../conf", config_name="predict")
def main(config: DictConfig) -> None:
    """Tag the photos that are not in the output yet."""
    with shown_plainly():
        needed(config, "bundle", "photos", "output")
        chosen, places = pace(config.workers, config.batch_size), as_places(config.photos)
        gallery = as_gallery(config)
        tagger = Tagger.load(config.bundle, profile=config.profile, thresholds=as_thresholds(config.own_thresholds))
        if config.profile:
            print(promised(tagger))
        skipped, totals, console = Skipped(), Totals(), Console(soft_wrap=True)
        named = Namer(tagger.labels, config.language or tagger.language)
        tag_file = TagFile(Path(config.output).expanduser(), overwrite=config.overwrite)
        with tag_file as output, only_here(places if config.xmp else ()), Sidecars(named) as sidecars:
            waiting = (photo for photo in found(places, skipped) if photo not in output.done)
            near = gallery is not None and not config.scores
            batches = tagged(waiting, tagger, chosen, language=config.language, scores=config.scores, near=near)
            try:
                if config.xmp:
                    complete(sidecars, output, places)
                for batch in watched(batches, total=count(places), done=len(output.done)):
                    output.append(batch)
                    totals.add(batch, skipped)
                    if config.xmp:
                        sidecars.write(plain(photo) for photo in batch)
                output.finish()
                report(console, totals, skipped, output)
                say(console, sidecars.lines() if config.xmp else ())
                if gallery is not None:
                    say(console, show(gallery, output, tagger, config, workers=chosen.workers).lines(gallery))
                sidecars.check()
            except KeyboardInterrupt:
                print(f"stopped; the same command goes on after {len(output.done) + totals.photos:,}", file=sys.stderr)
                raise SystemExit(130) from None


@dataclass
class Totals:
    """What was done in this command."""

    photos: int = 0
    tags: int = 0

    def __post_init__(self) -> None:
        self.started = time.monotonic()

    def add(self, batch: list[TaggedPhoto], skipped: Skipped) -> None:
        """Count a batch, and its photos that cannot be read among what is left out."""
        for photo in batch:
            if photo.error:
                skipped.add_photo(photo.photo, photo.error)
        count_turns((photo.photo for photo in batch if not photo.error), skipped)
        skipped.of += len(batch)
        self.photos += len(batch)
        self.tags += sum(len(photo.tags) for photo in batch)


def as_places(photos: object) -> list[str]:
    """Return the places that were given, one or a list of them.

    Raises:
        UserError: If something else was given.
    """
    places = list(photos) if isinstance(photos, ListConfig) else [photos]
    if not places or not all(isinstance(place, str) and place for place in places):
        raise UserError(f"photos must be a place or a list of places, got {photos!r}")
    return [str(place) for place in places]


def as_thresholds(thresholds: object) -> dict[str, float]:
    """Return the thresholds that were given, by label.

    Args:
        thresholds: A mapping, or one that Hydra's grammar does not know, as text: its ids are in quotes.

    Raises:
        UserError: If something else was given.

    Example:
        >>> as_thresholds('{"traffic light": 0.4, beach: 1}')
        {'traffic light': 0.4, 'beach': 1.0}
    """
    try:
        # All scalars are texts to this loader: a label may be called "no" or "2019".
        chosen = yaml.load(thresholds, yaml.BaseLoader) if isinstance(thresholds, str) else thresholds or {}
        if not isinstance(chosen, dict | DictConfig):
            raise TypeError
        return {str(label): float(threshold) for label, threshold in chosen.items()}
    except (yaml.YAMLError, TypeError, ValueError):
        raise UserError(f"own_thresholds must be a mapping such as {{beach: 0.4}}, got {thresholds!r}") from None


def as_gallery(config: DictConfig) -> Gallery | None:
    """Return which page was asked for; before the photos are tagged, so that a mistake costs nothing.

    Raises:
        UserError: If it cannot be.
    """
    if not config.gallery:
        return None
    return Gallery(Path(config.gallery).expanduser(), limit=config.gallery_limit, side=config.gallery_side)


def complete(sidecars: Sidecars, output: TagFile, places: list[str]) -> None:
    """Bring up to date the sidecars of those photos that are meant and were tagged before."""
    if not len(output.done):
        return
    meant = Names(found([place for place in places if not is_url(place)], Skipped()))
    lines = (line for line in read_lines(output.lines) if line["photo"] in meant)
    sidecars.write(barred(lines, "sidecars of photos tagged before", total=len(output.done)))


def show(gallery: Gallery, output: TagFile, tagger: Tagger, config: DictConfig, *, workers: int) -> Contents:
    """Write the page of all photos that are in the output."""
    return write_gallery(
        gallery,
        lambda: read_lines(output.lines),
        KnownLabels({label.id: label for label in tagger.labels}, offered(tagger), config.language or tagger.language),
        facts={"bundle": Path(config.bundle).name},
        workers=workers,
        watched=lambda photos: barred(photos, "photos for the gallery", total=gallery.limit),
    )


def barred(things: Iterable[Any], description: str, *, total: int) -> Iterator[Any]:
    """Pass things on with a bar where somebody looks on."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield from progress.track(things, total=total, description=description)


def promised(tagger: Tagger) -> str:
    """Return what the profile comes to."""
    given = [label for label in tagger.labels if label.threshold <= 1]
    verdicts = Counter(label.verdict for label in given if label.verdict)
    words = "".join(f", {count} {verdict}" for verdict, count in sorted(verdicts.items()))
    unreachable = sum(label.verdict == "unreachable" and label.threshold > 1 for label in tagger.labels)
    return f"profile: gives {len(given)} of {len(tagger.labels)} labels{words}; {unreachable} cannot keep their target"


def count(places: list[str]) -> int | None:
    """Return how many photos there are, or None where listing them twice would take long: behind URLs."""
    return None if any(is_url(place) for place in places) else sum(1 for _ in found(places, Skipped()))


def watched(batches: Iterator[list[TaggedPhoto]], *, total: int | None, done: int) -> Iterator[list[TaggedPhoto]]:
    """Pass batches on and show photos per second: a bar where somebody looks on, else a line every ten seconds."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]} photos/s"), TimeRemainingColumn())
    console = Console(stderr=True)
    started = reported = time.monotonic()
    photos = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total, completed=min(done, total or 0), speed="–")
        for batch in batches:
            yield batch
            photos, now = photos + len(batch), time.monotonic()
            speed = f"{photos / (now - started):.1f}"
            progress.update(task, advance=len(batch), speed=speed)
            if not console.is_terminal and now - reported > 10:
                reported = now
                print(f"{done + photos:,} of {total or '?'}  {speed} photos/s", file=sys.stderr, flush=True)


def report(console: Console, totals: Totals, skipped: Skipped, output: TagFile) -> None:
    """Say what was done, and what was left out."""
    seconds = max(time.monotonic() - totals.started, 1e-9)
    if totals.photos:
        console.print(f"{totals.photos:,} photos, {totals.tags:,} tags, {totals.photos / seconds:.1f} photos/s")
    if len(output.done):
        console.print(f"{len(output.done):,} photos were there already")
    print_left_out(skipped, console)
    console.print(Text(f"tags  {visible(str(output.output))}"))


def say(console: Console, sentences: Iterable[str]) -> None:
    """Print sentences that may hold names from outside."""
    for sentence in sentences:
        console.print(Text(visible(sentence)))


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:], "bundle", "photos", "output", "profile", "gallery")
    main()
