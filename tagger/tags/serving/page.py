"""The page in Gradio: which parts there are, and what happens when somebody uses them.

What a visitor has is in four states of the session: the album, the thresholds, the photo that is looked at, and what was
said. Each is written by few events, and events that write the album wait for each other, so that none overwrites what
another has just written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from tagger.errors import UserError
from tagger.pages.visible import visible
from tagger.tags.corrections import Correction, CorrectionsFile, Value, now
from tagger.tags.runtime import Tagger
from tagger.tags.serving import views
from tagger.tags.serving.album import (
    NEVER,
    Album,
    Thresholds,
    bundle_thresholds,
    moved,
    nothing_scored,
    tags_by_photo,
)
from tagger.tags.serving.export import own_thresholds, profile
from tagger.tags.serving.folder import Root
from tagger.tags.serving.reading import PhotoReader
from tagger.tags.serving.views import Looks

BATCH = 8
"""Photos after which the page shows how far it is."""

MAX_NAME = 255
"""Characters of a photo's name that are kept."""

AS_ADDED, BY_SCORE = "as added", "by the chosen label's score"

Dropped = list[tuple[str, str]]
"""Files that were dropped: where each is, and what it was called."""

History = tuple[tuple[Correction, Value], ...]
"""What a visitor said, and what held before."""


@dataclass(frozen=True)
class Desk:
    """What all visitors share."""

    name: str
    """Of the bundle."""
    tagger: Tagger
    reader: PhotoReader
    corrections: CorrectionsFile
    annotator: str
    pictures: Path
    """Where the small pictures of all albums are."""
    root: Root | None
    language: str
    max_photos: int
    """Of one visitor."""

    @cached_property
    def columns(self) -> dict[str, int]:
        """Column of every label, by its id."""
        return {label.id: column for column, label in enumerate(self.tagger.labels)}

    @cached_property
    def choices(self) -> list[tuple[str, str]]:
        """Name and id of every label, by name; an id behind names that two labels share."""
        names = [visible(label.name(self.language)) for label in self.tagger.labels]
        shared = {name for name in names if names.count(name) > 1}
        pairs = zip(names, self.columns, strict=True)
        return sorted((f"{name} ({id_})" if name in shared else name, id_) for name, id_ in pairs)

    @cached_property
    def nothing(self) -> Album:
        """An album without photos and without a folder."""
        return Album(self.pictures, (), nothing_scored(self.tagger))


class Photos(gr.File):
    """Gradio's place to drop files on, which forgets what a file was called; this one tells it."""

    # Gradio looks for a component of the page by the name of the class that is not a template.
    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """Return where every file is and what it was called."""
        files = [] if payload is None else payload if isinstance(payload, list) else list(payload.root)
        return [(file.path, (file.orig_name or Path(file.path).name)[:MAX_NAME]) for file in files]


@dataclass
class Page:
    """The parts of the page and what they do."""

    desk: Desk
    blocks: gr.Blocks = field(init=False)

    def __post_init__(self) -> None:
        with gr.Blocks(
            title=visible(self.desk.name), analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)
        ) as self.blocks:
            self._lay_out_states()
            gr.HTML(views.header(self.desk.name, self.desk.tagger), apply_default_css=False)
            with gr.Row(elem_id="desk"):
                with gr.Column(scale=6, min_width=320):
                    self._lay_out_photos()
                with gr.Column(scale=4, min_width=320, elem_id="tags", elem_classes="side"):
                    self._lay_out_tags()
                with gr.Column(scale=4, min_width=320, elem_id="side", elem_classes="side"):
                    self._lay_out_label()
            self._connect()
        self.blocks.queue(api_open=False, default_concurrency_limit=8, max_size=256)

    # --- what is there ----------------------------------------------------------------------------------------------

    def _lay_out_states(self) -> None:
        self.album = gr.State(None, time_to_live=None, delete_callback=_forget)
        self.thresholds = gr.State(lambda: bundle_thresholds(self.desk.tagger))
        self.photo = gr.State(None)
        self.history = gr.State(())

    def _lay_out_photos(self) -> None:
        self.drop = Photos(
            file_count="multiple", label="Photos", show_label=False, height=110, elem_id="drop", elem_classes="drop"
        )
        if self.desk.root is not None:
            with gr.Row(elem_classes="folder", equal_height=True):
                self.folder = gr.Textbox(
                    show_label=False,
                    placeholder=f"or a folder in {visible(self.desk.root.name)}",
                    max_length=4096,
                    scale=5,
                    elem_id="folder",
                    container=False,
                )
                self.open = gr.Button("Open", scale=0, min_width=80, elem_id="open")
        self.notes = gr.HTML(elem_id="notes", apply_default_css=False)
        with gr.Row(elem_classes="order", equal_height=True):
            self.order = gr.Radio(
                [AS_ADDED, BY_SCORE], value=AS_ADDED, show_label=False, container=False, elem_id="order", scale=4
            )
            self.clear = gr.Button("Remove all", size="sm", scale=1, min_width=110, elem_id="clear")
        self.grid = self._part("photos", views.grid(self._looks(None, None, None, None, AS_ADDED), []))

    def _lay_out_tags(self) -> None:
        with gr.Column(elem_classes="pane"):
            self.tags = self._part("photo", str(views.PARTS.no_photo()))
            with gr.Row(visible=False, elem_classes="said", equal_height=True) as self.saying:
                self.missing = gr.Dropdown(
                    self.desk.choices, value=None, label="A tag is missing", scale=3, min_width=150, elem_id="missing"
                )
                self.undo = gr.Button("Undo", scale=1, min_width=80, interactive=False, size="sm", elem_id="undo")

    def _lay_out_label(self) -> None:
        with gr.Column(elem_classes="pane"):
            self.label = gr.Dropdown(self.desk.choices, value=None, label="Label", elem_id="choose")
            self.curve = self._part("curve", str(views.PARTS.no_label()))
        with gr.Accordion("Moved thresholds", open=False, elem_id="moved"):
            self.for_predict = gr.Textbox(
                label="for tagger.predict", interactive=False, buttons=["copy"], lines=1, elem_id="for_predict"
            )
            self.for_profile = gr.Textbox(
                label="as YAML", interactive=False, buttons=["copy"], lines=3, elem_id="for_profile"
            )

    def _part(self, id_: str, html: str) -> gr.HTML:
        return gr.HTML(html, elem_id=id_, js_on_load=_SCRIPT, apply_default_css=False, padding=False)

    # --- what happens -----------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        looks = [self.album, self.thresholds, self.photo, self.label, self.order]
        parts = [self.grid, self.tags, self.saying, self.curve]
        adding = {"concurrency_id": "album", "concurrency_limit": 1, "show_progress": "hidden"}
        self._on(
            self.drop.upload,
            self._add_dropped,
            [self.drop, *looks],
            [self.drop, self.notes, self.album, *parts],
            **adding,
        )
        if self.desk.root is not None:
            for event in (self.open.click, self.folder.submit):
                self._on(event, self._add_folder, [self.folder, *looks], [self.notes, self.album, *parts], **adding)
        self._on(self.clear.click, self._remove_all, looks, [self.notes, self.album, self.photo, *parts], **adding)
        self._on(self.order.change, self._render, looks, parts)
        self._on(self.grid.choose, self._choose, looks, [self.photo, *parts])
        chosen = [self.label, *parts]
        self._on(self.tags.look, self._look, looks, chosen)
        self._on(self.label.input, self._render, looks, parts)
        moved = [self.thresholds, self.for_predict, self.for_profile, *parts]
        self._on(self.curve.move, self._move, looks, moved, trigger_mode="always_last")
        self._on(self.curve.reset, self._reset, looks, moved)
        said = [self.history, self.undo, self.missing, self.notes, *parts]
        self._on(self.tags.say, self._say, [self.history, *looks], said)
        self._on(self.missing.input, self._say_missing, [self.missing, self.history, *looks], said)
        self._on(self.undo.click, self._take_back, [self.history, *looks], said)

    def _on(self, event: Any, do: Callable, inputs: Sequence[Any], outputs: Sequence[Any], **settings: Any) -> None:
        """Connect an event; none of them is an API."""
        event(do, list(inputs), list(outputs), api_visibility="private", **{"show_progress": "hidden", **settings})

    def _looks(
        self, album: Album | None, thresholds: Thresholds | None, photo: int | None, label: str | None, order: str
    ) -> Looks:
        return Looks(
            self.desk.tagger,
            self.desk.language,
            self.desk.columns,
            album,
            bundle_thresholds(self.desk.tagger) if thresholds is None else thresholds,
            self.desk.corrections.standing,
            photo,
            None if label is None else self.desk.columns[label],
            by_score=order == BY_SCORE,
        )

    def _render(self, *looks: Any) -> dict[Any, Any]:
        """Return the parts of the page anew."""
        shown = self._looks(*looks)
        album = shown.album or self.desk.nothing
        tags = tags_by_photo(album, self.desk.tagger, shown.thresholds, language=self.desk.language)
        return {
            self.grid: views.grid(shown, tags),
            self.tags: views.photo(shown, tags),
            self.saying: gr.update(visible=shown.photo is not None),
            self.curve: views.label(shown),
        }

    def _add_dropped(self, dropped: Dropped, *looks: Any) -> Iterator[dict[Any, Any]]:
        paths = [path for path, _ in dropped]
        try:
            for update in self._add(paths, [name for _, name in dropped], *looks):
                yield {self.drop: None, **update}
        finally:
            for path in paths:
                Path(path).unlink(missing_ok=True)

    def _add_folder(self, name: str, *looks: Any) -> Iterator[dict[Any, Any]]:
        assert self.desk.root is not None
        album: Album | None = looks[0]
        room = self.desk.max_photos - len(album or ())
        try:
            # One more, to say that there are more.
            paths = self.desk.root.photos(name, limit=room + 1)
        except UserError as error:
            yield {self.notes: views.notes([str(error)])}
            return
        yield from self._add(paths, [Path(path).name for path in paths], *looks)

    def _add(self, paths: list[str], names: list[str], album: Album | None, *looks: Any) -> Iterator[dict[Any, Any]]:
        """Read photos and tag them, a few at a time; yield the page after each few, and what could not be read."""
        album = album or Album.empty(self.desk.pictures, self.desk.nothing.scored)
        room = self.desk.max_photos - len(album)
        remarks = [f"only {self.desk.max_photos} photos at a time: remove some first"] if len(paths) > room else []
        paths, names = paths[:room], names[:room]
        yield {self.notes: views.notes(remarks, doing=f"reading {len(paths)} photos …" if paths else "")}
        for start in range(0, len(paths), BATCH):
            album, bad = self._with_some(album, paths[start : start + BATCH], names[start : start + BATCH])
            remarks += bad
            done = min(start + BATCH, len(paths))
            doing = f"{done} of {len(paths)} photos …" if done < len(paths) else ""
            yield {self.album: album, self.notes: views.notes(remarks, doing=doing), **self._render(album, *looks)}

    def _with_some(self, album: Album, paths: list[str], names: list[str]) -> tuple[Album, list[str]]:
        remarks, kept, seen = [], [], set()
        for name, photo in zip(names, self.desk.reader.read(paths), strict=True):
            if photo.pixels is None:
                remarks.append(f"{name}: {photo.error}")
            elif album.holds(photo.photo_id) or photo.photo_id in seen:
                remarks.append(f"{name}: is here already")
            else:
                seen.add(photo.photo_id)
                kept.append((name, photo, photo.pixels))
        if not kept:
            return album, remarks
        scored = self.desk.tagger.run(np.stack([pixels for _, _, pixels in kept]))
        return album.with_photos([name for name, *_ in kept], [photo for _, photo, _ in kept], scored), remarks

    def _remove_all(self, album: Album | None, thresholds: Thresholds, _: Any, *chosen: Any) -> dict[Any, Any]:
        _forget(album)
        return {self.album: None, self.photo: None, self.notes: "", **self._render(None, thresholds, None, *chosen)}

    def _choose(
        self, event: gr.EventData, album: Album | None, thresholds: Thresholds, _: Any, *chosen: Any
    ) -> dict[Any, Any]:
        photo = event._data.get("photo")
        if not isinstance(photo, int) or not 0 <= photo < len(album or ()):
            return self._render(album, thresholds, None, *chosen)
        return {self.photo: photo, **self._render(album, thresholds, photo, *chosen)}

    def _look(
        self, event: gr.EventData, album: Any, thresholds: Thresholds, photo: Any, _: Any, order: str
    ) -> dict[Any, Any]:
        label = str(event._data.get("label"))
        if label not in self.desk.columns:
            return {}
        return {self.label: label, **self._render(album, thresholds, photo, label, order)}

    def _move(
        self, event: gr.EventData, album: Any, thresholds: Thresholds, photo: Any, label: str | None, order: str
    ) -> dict[Any, Any]:
        at = event._data.get("threshold")
        if label is None or not isinstance(at, int | float) or not 0 <= at <= NEVER:
            return {}
        return self._moved(float(at), album, thresholds, photo, label, order)

    def _reset(self, album: Any, thresholds: Thresholds, photo: Any, label: str | None, order: str) -> dict[Any, Any]:
        if label is None:
            return {}
        own = bundle_thresholds(self.desk.tagger)[self.desk.columns[label]]
        return self._moved(float(own), album, thresholds, photo, label, order)

    def _moved(
        self, at: float, album: Any, thresholds: Thresholds, photo: Any, label: str, order: str
    ) -> dict[Any, Any]:
        thresholds = thresholds.copy()
        thresholds[self.desk.columns[label]] = at
        own = moved(thresholds, self.desk.tagger)
        return {
            self.thresholds: thresholds,
            self.for_predict: own_thresholds(own),
            self.for_profile: profile(own),
            **self._render(album, thresholds, photo, label, order),
        }

    def _say(self, event: gr.EventData, history: History, *looks: Any) -> dict[Any, Any]:
        return self._said(str(event._data.get("label")), event._data.get("value"), history, *looks)

    def _say_missing(self, label: str | None, history: History, *looks: Any) -> dict[Any, Any]:
        return self._said(str(label), "present", history, *looks)

    def _said(
        self,
        label: str,
        value: Any,
        history: History,
        album: Album | None,
        thresholds: Any,
        photo: int | None,
        *rest: Any,
    ) -> dict[Any, Any]:
        """Keep a verdict about the photo that is looked at."""
        if album is None or photo is None or label not in self.desk.columns or value not in ("present", "absent"):
            return {self.missing: None}
        said = self._correction(album, photo, label, value)
        before = self.desk.corrections.standing.get((said.photo_id, label))
        if before is None or before.value != value:
            try:
                self.desk.corrections.append(said)
            except UserError as error:
                return {self.notes: views.notes([str(error)]), self.missing: None}
            history = (*history, (said, before.value if before else "unknown"))
        return {
            self.history: history,
            self.missing: None,
            self.undo: gr.update(interactive=bool(history)),
            **self._render(album, thresholds, photo, *rest),
        }

    def _take_back(self, history: History, *looks: Any) -> dict[Any, Any]:
        if not history:
            return {}
        *rest, (said, before) = history
        try:
            self.desk.corrections.append(said.withdrawn(before=before))
        except UserError as error:
            return {self.notes: views.notes([str(error)])}
        return {self.history: tuple(rest), self.undo: gr.update(interactive=bool(rest)), **self._render(*looks)}

    def _correction(self, album: Album, photo: int, label: str, value: Value) -> Correction:
        shown = album.photos[photo]
        return Correction(
            photo_id=shown.photo_id,
            photo=shown.name,
            label=label,
            value=value,
            annotator=self.desk.annotator,
            time=now(),
            bundle=self.desk.tagger.manifest.files["model.onnx"][1],
            score=float(album.scored.scores[photo, self.desk.columns[label]]),
        )


_SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")


def _forget(album: Album | None) -> None:
    if album is not None:
        album.remove_pictures()
