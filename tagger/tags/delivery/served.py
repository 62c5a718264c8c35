"""The model that MLflow serves: MLflow keeps this file beside the bundle and runs it wherever the model is loaded.

Nothing of it is pickled. It takes a table with a text column ``photo`` (see :mod:`tagger.data.sent`) and gives a row
per photo: ``tags``, the best first, and ``error``, which is empty unless the photo cannot be read. What it needs is
the package beside it, onnxruntime, Pillow, numpy and pandas. Who serves it may name a profile, in ``TAGGER_PROFILE``.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from tagger.data.photo import BadPhoto
from tagger.data.sent import ROOT, sent_photo
from tagger.tags.runtime import Pixels, Tag, Tagger, batched

PROFILE = "TAGGER_PROFILE"
"""Environment variable: the YAML file of a customer's profile; unset or empty: none."""

BATCH = 16
"""Photos whose pixels are in memory at a time."""


class ServedTagger(PythonModel):
    """A bundle behind MLflow's table interface."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle; called once, when the model is loaded."""
        # Spark says there how many cores a task has; the network would take all of the machine's for each.
        threads = os.environ.get("OMP_NUM_THREADS", "")
        self.tagger = Tagger.load(
            context.artifacts["bundle"],
            profile=os.environ.get(PROFILE) or None,
            threads=int(threads) if threads.isdigit() else None,
        )
        self.root = os.environ.get(ROOT)
        # A server calls from several threads, and photos are read in one at a time: see tagger.data.photo.
        self.reading = Lock()

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return tags and error of every photo.

        Args:
            context: As MLflow has it; not used.
            model_input: A text column ``photo``; MLflow has checked it.
            params: ``language`` of the tags' names; empty for the profile's, or English.
        """
        language = (params or {}).get("language") or None
        rows = (row for texts in batched(model_input["photo"], BATCH) for row in self._rows(texts, language))
        return pd.DataFrame(list(rows), columns=["tags", "error"])

    def _rows(self, texts: Sequence[object], language: str | None) -> Iterator[dict[str, Any]]:
        read = [self._read(text) for text in texts]
        tagged = self._tagged([photo for photo in read if not isinstance(photo, str)], language)
        for photo in read:
            if isinstance(photo, str):
                yield {"tags": [], "error": photo}
            else:
                yield {"tags": [as_row(tag) for tag in next(tagged)], "error": ""}

    def _tagged(self, photos: Sequence[tuple[Pixels, Pixels | None]], language: str | None) -> Iterator[list[Tag]]:
        if photos:
            pixels, beside = zip(*photos, strict=True)
            scored = self.tagger.run(np.stack(pixels), self.tagger.detected(beside))
            yield from self.tagger.tags_of(scored, language=language)

    def _read(self, text: object) -> tuple[Pixels, Pixels | None] | str:
        """Return what network and detector see of a photo, or why they cannot."""
        name = "photo"
        try:
            photo = sent_photo(text, self.root)
            name = photo if isinstance(photo, str) else name
            with self.reading:
                return self.tagger.pixels(photo), self.tagger.beside(photo)
        except BadPhoto as error:
            return str(error).removeprefix(f"{name}: ")


def as_row(tag: Tag) -> dict[str, Any]:
    """Return a tag as ``tagger.predict`` writes it.

    Example:
        >>> as_row(Tag("sea", "Meer", 0.912345678, origin="rule", because="follows from beach, scored 0.91"))["score"]
        0.912346
    """
    return asdict(tag) | {"score": round(tag.score, 6)}


set_model(ServedTagger())
