"""The annotation standard: per label, what counts, what does not, what it is confused with, and example photos.

It is made of the label system, so that annotators, the card and the queue read the same definition.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from tagger.atomic import write_text
from tagger.cleaning.tasks.task import name_of
from tagger.data.catalog.view import Catalog
from tagger.data.states import ABSENT, PRESENT
from tagger.data.taxonomy import Label, Taxonomy
from tagger.pages.template import page_template
from tagger.pages.thumbnails import load_thumbnails, style_rules
from tagger.pages.visible import visible

MOST_CONFUSABLE = 8

_EXCLUDES = re.compile(r"\b(?:do|does) not count\b|\b(?:don't|doesn't) count\b|\bnone of them\b|不算|不包括")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")


@dataclass(frozen=True)
class Entry:
    """What the standard says of a label."""

    label: Label
    counts: str
    does_not: str
    confusable: tuple[Label, ...]
    present: tuple[str, ...]
    """Paths or URLs of photos that have it."""
    absent: tuple[str, ...]
    """Paths or URLs of photos that somebody says do not have it."""

    @property
    def name(self) -> str:
        return name_of(self.label)


@dataclass(frozen=True)
class Examples:
    """Photos of a label, paths or URLs."""

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def definition_of(label: Label) -> tuple[str, str]:
    """Return what counts and what does not: the sentences of the definition that say "does not count" are the latter.

    Example:
        >>> definition_of(Label("dog", {}, definition="A dog of any breed. Wolves do not count."))
        ('A dog of any breed.', 'Wolves do not count.')
    """
    sentences = [sentence for sentence in _SENTENCE_END.split(label.definition.strip()) if sentence]
    counts = [sentence for sentence in sentences if not _EXCLUDES.search(sentence)]
    does_not = [sentence for sentence in sentences if _EXCLUDES.search(sentence)]
    return " ".join(counts), " ".join(does_not)


def confusable_with(taxonomy: Taxonomy, id_: str, *, measured: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the labels that one is easily taken for: those measured, those that exclude it, its brothers and sisters.

    Args:
        taxonomy: The labels.
        id_: The label.
        measured: Labels that it was found to be confused with, most often first.

    Example:
        >>> dog, poodle, corgi = Label("dog", {}), Label("poodle", {}, ("dog",)), Label("corgi", {}, ("dog",))
        >>> cat = Label("cat", {}, excludes=("dog",))
        >>> confusable_with(Taxonomy("pets", (dog, poodle, corgi, cat)), "dog")
        ('cat',)
        >>> confusable_with(Taxonomy("pets", (dog, poodle, corgi)), "poodle", measured=["dog"])
        ('dog', 'corgi')
    """
    own = taxonomy.labels[taxonomy.column[id_]]
    excluding = [label.id for label in taxonomy.labels if id_ in label.excludes]
    siblings = [label.id for label in taxonomy.labels if set(label.parents) & set(own.parents)]
    known = [label for label in (*measured, *own.excludes, *excluding, *siblings) if label in taxonomy.column]
    return tuple(label for label in dict.fromkeys(known) if label != id_)[:MOST_CONFUSABLE]


def examples_of(
    catalog: Catalog, *, count: int = 6, seed: int = 0, without: Mapping[str, Collection[str]] | None = None
) -> dict[str, Examples]:
    """Return photos of every label, drawn at random, of present and of absent ones ``count`` each where there are.

    Args:
        catalog: What training sees, people's verdicts included.
        count: Photos of each kind.
        seed: Decides which.
        without: Ids of photos that are no examples of a label, such as those that are asked about, by label.
    """
    rng = np.random.default_rng(seed)
    columns = catalog.states.tocsc()
    found = {}
    row = {id_: number for number, id_ in enumerate(catalog.photos["photo_id"].to_pylist())} if without else {}
    for column, label in enumerate(catalog.taxonomy.ids):
        own = slice(columns.indptr[column], columns.indptr[column + 1])
        rows, values = columns.indices[own], columns.data[own]
        if without and without.get(label):
            left = ~np.isin(rows, [row[id_] for id_ in without[label] if id_ in row])
            rows, values = rows[left], values[left]
        drawn = {value: _drawn(rows[values == value], count, rng) for value in (PRESENT, ABSENT)}
        present, absent = (tuple(catalog.place(int(row)) for row in drawn[value]) for value in (PRESENT, ABSENT))
        found[label] = Examples(present, absent)
    return found


def write_standard(
    taxonomy: Taxonomy,
    folder: Path,
    *,
    examples: Mapping[str, Examples] | None = None,
    confused: Mapping[str, Sequence[str]] | None = None,
    labels: Sequence[str] | None = None,
) -> list[Path]:
    """Write ``standard.html`` with all labels and a Markdown page per label, and return their paths.

    Args:
        taxonomy: The labels.
        folder: Where to; pages of labels that are no more stay.
        examples: Photos by label.
        confused: Labels that a label was found to be confused with, by label.
        labels: Those to write about; all if None.
    """
    examples, confused = examples or {}, confused or {}
    entries = [
        _entry(taxonomy, id_, examples.get(id_, Examples()), confused.get(id_, ()))
        for id_ in (taxonomy.ids if labels is None else labels)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for entry in entries:
        written.append(folder / f"{quote(entry.label.id, safe='')[:200]}.md")
        write_text(written[-1], markdown(entry))
    written.append(folder / "standard.html")
    write_text(written[-1], _page(taxonomy, entries))
    return written


def markdown(entry: Entry) -> str:
    """Return the page of a label as Markdown; what comes from outside is escaped."""
    lines = [f"# {_escaped(entry.name)}", "", f"`{visible(entry.label.id).replace('`', '')}`", ""]
    if entry.counts:
        lines += ["## Counts", "", _escaped(entry.counts), ""]
    if entry.does_not:
        lines += ["## Does not count", "", _escaped(entry.does_not), ""]
    if not entry.label.definition:
        lines += ["The label system has no definition of it yet: write one before anybody decides by it.", ""]
    if entry.confusable:
        lines += ["## Easily confused with", ""]
        lines += [_line(label) for label in entry.confusable]
        lines.append("")
    for title, photos in (("Photos that have it", entry.present), ("Photos that do not", entry.absent)):
        if photos:
            lines += [
                f"## {title}",
                "",
                *(f"- ![]({quote(photo, safe='/:')}) {_escaped(photo)}" for photo in photos),
                "",
            ]
    return "\n".join(lines)


def _line(label: Label) -> str:
    definition = f": {_escaped(label.definition)}" if label.definition else ""
    return f"- {_escaped(name_of(label))}{definition}"


def _page(taxonomy: Taxonomy, entries: Sequence[Entry]) -> str:
    photos = dict.fromkeys(photo for entry in entries for photo in (*entry.present, *entry.absent))
    number = {photo: place for place, photo in enumerate(photos)}
    thumbnails = load_thumbnails({place: photo for photo, place in number.items()}, side=160)
    return page_template(Path(__file__).with_name("standard.html")).render(
        title=f"{taxonomy.name}: what annotators decide by",
        entries=entries,
        number=number,
        shown=set(thumbnails),
        name_of=name_of,
        rules=style_rules(thumbnails),
    )


def _entry(taxonomy: Taxonomy, id_: str, examples: Examples, confused: Sequence[str]) -> Entry:
    label = taxonomy.labels[taxonomy.column[id_]]
    others = confusable_with(taxonomy, id_, measured=confused)
    confusable = tuple(taxonomy.labels[taxonomy.column[other]] for other in others)
    return Entry(label, *definition_of(label), confusable, examples.present, examples.absent)


def _drawn(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(rows, min(count, len(rows)), replace=False))


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", visible(text))
