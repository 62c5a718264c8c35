"""The page in Gradio: which parts there are, and what happens when somebody uses them.

What a visitor has is in the states of the session: the album, the thresholds, the photo that is looked at, and what was
said. Events that write the same state wait for each other, so that none overwrites what another has just written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from tagger.errors import UserError
from tagger.pages.visible import visible
from tagger.tags.serving import views
from tagger.tags.serving.album import NEVER, Album, Thresholds, moved
from tagger.tags.serving.desk import Desk, Said
from tagger.tags.serving.export import as_yaml, own_thresholds
from tagger.tags.serving.views import Looks

MAX_NAME = 255
"""Characters of a photo's name that are kept."""

AS_ADDED, BY_SCORE = "as added", "by the chosen label's score"

SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")

Update = dict[Any, Any]
"""New values by part of the page."""


class Dropped(NamedTuple):
    """A file that was dropped."""

    path: str
    name: str
    """What it was called where it came from."""


class Chosen(NamedTuple):
    """What a visitor has and has chosen."""

    album: Album | None
    thresholds: Thresholds
    photo: int | None
    """Number in the album."""
    label: str | None
    """Id."""
    order: str

    @property
    def has_photo(self) -> bool:
        """Whether a photo is looked at."""
        return self.album is not None and self.photo is not None


def dropped(payload: Any) -> list[Dropped]:
    """Return the files of Gradio's upload with their names, which its own component forgets."""
    files = [] if payload is None else payload.root
    return [Dropped(file.path, (file.orig_name or Path(file.path).name)[:MAX_NAME]) for file in files]


@dataclass
class Page:
    """The parts of the page and what they do."""

    desk: Desk
    blocks: gr.Blocks = field(init=False)

    def __post_init__(self) -> None:
        title = visible(self.desk.name)
        with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(600, 600)) as self.blocks:
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
        self.album = gr.State(None, delete_callback=forget)
        self.thresholds = gr.State(self.desk.tagger.thresholds)
        self.photo = gr.State(None)
        self.history = gr.State(())

    def _lay_out_photos(self) -> None:
        self.drop = gr.File(file_count="multiple", label="Photos", show_label=False, height=110, elem_id="drop")
        self.drop.preprocess = dropped  # type: ignore[method-assign, assignment]
        if self.desk.root is not None:
            with gr.Row(equal_height=True):
                place = f"or a folder in {visible(self.desk.root.name)}"
                self.folder = gr.Textbox(
                    placeholder=place, show_label=False, container=False, max_length=4096, scale=5, elem_id="folder"
                )
                self.open = gr.Button("Open", scale=0, min_width=80, elem_id="open")
        self.notes = gr.HTML(elem_id="notes", apply_default_css=False)
        with gr.Row(elem_classes="order", equal_height=True):
            self.order = gr.Radio(
                [AS_ADDED, BY_SCORE], value=AS_ADDED, show_label=False, container=False, scale=4, elem_id="order"
            )
            self.clear = gr.Button("Remove all", size="sm", scale=1, min_width=110, elem_id="clear")
        self.grid = self._part("photos")

    def _lay_out_tags(self) -> None:
        with gr.Column(elem_classes="pane"):
            self.tags = self._part("photo")
            with gr.Row(visible=False, elem_classes="said", equal_height=True) as self.saying:
                self.missing = gr.Dropdown(
                    self.desk.choices, value=None, label="A tag is missing", scale=3, min_width=150, elem_id="missing"
                )
                self.undo = gr.Button("Undo", size="sm", scale=1, min_width=80, interactive=False, elem_id="undo")

    def _lay_out_label(self) -> None:
        with gr.Column(elem_classes="pane"):
            self.label = gr.Dropdown(self.desk.choices, value=None, label="Label", elem_id="choose")
            self.curve = self._part("curve")
        with gr.Accordion("Moved thresholds", open=False, elem_id="moved"):
            copied: dict[str, Any] = {"interactive": False, "buttons": ["copy"], "placeholder": "none was moved"}
            self.for_predict = gr.Textbox(label="for tagger.predict", lines=1, elem_id="for_predict", **copied)
            self.as_yaml = gr.Textbox(label="for a profile", lines=3, elem_id="as_yaml", **copied)

    def _part(self, id_: str) -> gr.HTML:
        nothing = self._looks(Chosen(None, self.desk.tagger.thresholds, None, None, AS_ADDED))
        drawn = {"photos": views.grid, "photo": views.photo}
        html = drawn[id_](nothing, []) if id_ in drawn else views.label(nothing)
        return gr.HTML(html, elem_id=id_, js_on_load=SCRIPT, apply_default_css=False)

    # --- what happens -----------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self.chosen = [self.album, self.thresholds, self.photo, self.label, self.order]
        self.parts = [self.grid, self.tags, self.saying, self.curve]
        adding: dict[str, Any] = {"concurrency_id": "album", "concurrency_limit": 1}
        self._on(self.drop.upload, self._add_dropped, [self.drop], [self.drop, self.notes, self.album], **adding)
        if self.desk.root is not None:
            for event in (self.open.click, self.folder.submit):
                self._on(event, self._add_folder, [self.folder], [self.notes, self.album], **adding)
        self._on(self.clear.click, self._remove_all, [], [self.notes, self.album, self.photo], **adding)
        self._on(self.order.change, self._look_again, [], [])
        self._on(self.grid.choose, self._choose, [], [self.photo])
        self._on(self.tags.look, self._look, [], [self.label])
        self._on(self.label.input, self._look_again, [], [])
        moved = [self.thresholds, self.for_predict, self.as_yaml]
        moving: dict[str, Any] = {"concurrency_id": "thresholds", "concurrency_limit": 1}
        self._on(self.curve.move, self._move, [], moved, **moving)
        self._on(self.curve.reset, self._reset, [], moved, **moving)
        said = [self.history, self.undo, self.missing, self.notes]
        saying: dict[str, Any] = {"concurrency_id": "history", "concurrency_limit": 1}
        self._on(self.tags.say, self._say, [self.history], said, **saying)
        self._on(self.missing.input, self._say_missing, [self.missing, self.history], said, **saying)
        self._on(self.undo.click, self._take_back, [self.history], said, **saying)

    def _on(self, event: Any, do: Callable, inputs: Sequence[Any], outputs: Sequence[Any], **settings: Any) -> None:
        """Connect an event, which also gets what is chosen and may draw the parts anew; none of them is an API."""
        # Not Gradio's default, which drops what is asked for while something of the kind is being answered.
        always = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
        event(do, [*inputs, *self.chosen], [*outputs, *self.parts], **always, **settings)

    def _looks(self, chosen: Chosen) -> Looks:
        return Looks(
            self.desk.tagger,
            self.desk.language,
            self.desk.columns,
            chosen.album,
            chosen.thresholds,
            self.desk.corrections.standing,
            chosen.photo,
            None if chosen.label is None else self.desk.columns[chosen.label],
            by_score=chosen.order == BY_SCORE,
        )

    def _drawn(self, chosen: Chosen) -> Update:
        """Return the parts of the page anew."""
        looks = self._looks(chosen)
        tags = [] if chosen.album is None else self.desk.tags(chosen.album, chosen.thresholds)
        return {
            self.grid: views.grid(looks, tags),
            self.tags: views.photo(looks, tags),
            self.saying: gr.update(visible=chosen.has_photo),
            self.curve: views.label(looks),
        }

    def _add_dropped(self, files: list[Dropped], *chosen: Any) -> Iterator[Update]:
        try:
            for update in self._add([file.path for file in files], [file.name for file in files], Chosen(*chosen)):
                yield {self.drop: None, **update}
        finally:
            for file in files:
                Path(file.path).unlink(missing_ok=True)

    def _add_folder(self, name: str, *chosen: Any) -> Iterator[Update]:
        assert self.desk.root is not None
        try:
            # One more than there is room for, to say that there are more.
            paths = self.desk.root.photos(name, limit=self.desk.room(chosen[0]) + 1)
        except UserError as error:
            yield {self.notes: views.notes([str(error)])}
            return
        yield from self._add(paths, [Path(path).name for path in paths], Chosen(*chosen))

    def _add(self, paths: list[str], names: list[str], chosen: Chosen) -> Iterator[Update]:
        for album, remarks, doing in self.desk.add(chosen.album, paths, names):
            drawn = self._drawn(chosen._replace(album=album))
            yield {self.album: album, self.notes: views.notes(remarks, doing=doing), **drawn}

    def _remove_all(self, *chosen: Any) -> Update:
        forget(Chosen(*chosen).album)
        drawn = self._drawn(Chosen(*chosen)._replace(album=None, photo=None))
        return {self.album: None, self.photo: None, self.notes: "", **drawn}

    def _look_again(self, *chosen: Any) -> Update:
        return self._drawn(Chosen(*chosen))

    def _choose(self, event: gr.EventData, *chosen: Any) -> Update:
        photo, now = event._data.get("photo"), Chosen(*chosen)
        if now.album is None or not isinstance(photo, int) or not 0 <= photo < len(now.album):
            return {}
        return {self.photo: photo, **self._drawn(now._replace(photo=photo))}

    def _look(self, event: gr.EventData, *chosen: Any) -> Update:
        label = self._label(event)
        if label is None:
            return {}
        return {self.label: label, **self._drawn(Chosen(*chosen)._replace(label=label))}

    def _move(self, event: gr.EventData, *chosen: Any) -> Update:
        at, now = event._data.get("threshold"), Chosen(*chosen)
        if now.label is None or not isinstance(at, int | float) or not 0 <= at <= NEVER:
            return {}
        return self._moved(now, float(at))

    def _reset(self, *chosen: Any) -> Update:
        now = Chosen(*chosen)
        if now.label is None:
            return {}
        return self._moved(now, float(self.desk.tagger.thresholds[self.desk.columns[now.label]]))

    def _moved(self, chosen: Chosen, at: float) -> Update:
        assert chosen.label is not None
        thresholds = chosen.thresholds.copy()
        thresholds[self.desk.columns[chosen.label]] = at
        own = moved(thresholds, self.desk.tagger)
        copied = {self.for_predict: own_thresholds(own), self.as_yaml: as_yaml(own)}
        return {self.thresholds: thresholds, **copied, **self._drawn(chosen._replace(thresholds=thresholds))}

    def _say(self, event: gr.EventData, history: Sequence[Said], *chosen: Any) -> Update:
        return self._said(self._label(event), event._data.get("value"), history, Chosen(*chosen))

    def _say_missing(self, label: str | None, history: Sequence[Said], *chosen: Any) -> Update:
        return {self.missing: None, **self._said(label, "present", history, Chosen(*chosen))}

    def _said(self, label: str | None, value: Any, history: Sequence[Said], chosen: Chosen) -> Update:
        """Keep a verdict about the photo that is looked at."""
        if not chosen.has_photo or label not in self.desk.columns or value not in ("present", "absent"):
            return {}
        try:
            said = self.desk.say(chosen.album, chosen.photo, label, value)  # type: ignore[arg-type]
        except UserError as error:
            return {self.notes: views.notes([str(error)])}
        return self._with_history(history if said is None else (*history, said), chosen)

    def _take_back(self, history: Sequence[Said], *chosen: Any) -> Update:
        if not history:
            return {}
        try:
            self.desk.take_back(history[-1])
        except UserError as error:
            return {self.notes: views.notes([str(error)])}
        return self._with_history(history[:-1], Chosen(*chosen))

    def _label(self, event: gr.EventData) -> str | None:
        """Return the label that an event names by its column, None if there is none."""
        column, labels = event._data.get("label"), self.desk.tagger.labels
        return labels[column].id if isinstance(column, int) and 0 <= column < len(labels) else None

    def _with_history(self, history: Sequence[Said], chosen: Chosen) -> Update:
        return {
            self.history: history,
            self.undo: gr.update(interactive=bool(history)),
            self.notes: "",
            **self._drawn(chosen),
        }


def forget(album: Album | None) -> None:
    """Remove what is left of an album whose visitor has gone."""
    if album is not None:
        album.remove_pictures()
