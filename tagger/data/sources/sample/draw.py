"""From a plan to a photo: backdrop, motifs from far to near, light, grain."""

from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from tagger.data.sources.sample.backdrops import BACKDROPS
from tagger.data.sources.sample.documents import DOCUMENTS
from tagger.data.sources.sample.nature import NATURE, conifer
from tagger.data.sources.sample.pen import Motif, Pen
from tagger.data.sources.sample.people import PEOPLE
from tagger.data.sources.sample.plan import Item, Plan
from tagger.data.sources.sample.recipes import ALOFT, LYING, Light
from tagger.data.sources.sample.texture import noise
from tagger.data.sources.sample.things import THINGS

MOTIFS: dict[str, Motif] = PEOPLE | NATURE | THINGS | DOCUMENTS

TINTS: dict[Light, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "sunset": (1.06, 0.86, 0.74),
    "night": (0.74, 0.76, 0.98),
}


def draw_photo(plan: Plan, *, size: int) -> Image.Image:
    """Return the photo of a plan, ``size`` pixels square.

    Example:
        >>> from tagger.data.sources.sample.plan import plan_photo
        >>> draw_photo(plan_photo(0, 0), size=64).size
        (64, 64)
    """
    rng = np.random.default_rng([plan.seed, 1])
    return _expose(paint_photo(plan, size=size), rng, plan.light)


def paint_photo(plan: Plan, *, size: int) -> Image.Image:
    """Return the photo before light, blur and grain."""
    rng = np.random.default_rng(plan.seed)
    image = Image.new("RGB", (2 * size, 2 * size))
    BACKDROPS[plan.backdrop](image, rng, plan.light)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for item in plan.items:
        _draw_item(image, item, plan)
    # Drawn at twice the size and halved, edges come out smooth.
    return image.reduce(2)


def _draw_item(image: Image.Image, item: Item, plan: Plan) -> None:
    rng = np.random.default_rng(item.seed)
    lean = rng.uniform(-0.9, 0.9) if item.motif in LYING else rng.uniform(-0.06, 0.06)
    mirror = bool(rng.random() < 0.5) and item.motif not in DOCUMENTS
    place = partial(Pen, image, at=(item.across, item.down), scale=item.height)
    if item.motif not in ALOFT and item.motif not in LYING and plan.backdrop not in {"macro", "underwater"}:
        place().oval(0.04, -0.005, 0.26, 0.035, (20, 20, 24, 60))
    draw = MOTIFS[item.motif]
    if item.motif == "conifer" and "snow" in plan.backdrop:
        draw = partial(conifer, snowy=True)
    draw(place(lean=0 if item.motif == "screenshot" else lean, mirror=mirror), rng, item.wears)


def _expose(image: Image.Image, rng: np.random.Generator, light: Light) -> Image.Image:
    """Tint by the light, vary the exposure, let light fall off to the sides, add grain; blur or bleach some."""
    size = image.size
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(image.width / 128 * rng.uniform(0.5, 1.3)))
    # A sunset without its colours could not be told from an overcast day.
    if rng.random() < 0.05 and light != "sunset":
        image = image.convert("L").convert("RGB")
    gain = np.array(TINTS[light]) * rng.uniform(0.7, 1.2) * rng.uniform(0.96, 1.04, 3)
    shadow = np.asarray(noise(rng, (3, 3), size), dtype=np.float32) / 255
    surface = np.asarray(noise(rng, (48, 48), size), dtype=np.float32) / 255
    falloff = 0.86 + 0.18 * shadow + 0.05 * (surface - 0.5)
    grain = rng.integers(-9, 10, (*size, 1), dtype=np.int8) * np.float32(rng.uniform(0.3, 1.0))
    pixels = np.asarray(image, dtype=np.float32) * gain.astype(np.float32) * falloff[..., None] + grain
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
