"""What each photo of the sample album shows, decided before anything is drawn.

A recipe says how often a backdrop appears, in which light, and which motifs come with it: forests have trees, beaches
have umbrellas, skiing needs snow. The truth about a photo is read off its plan.
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from tagger.data.sources.sample.labels import with_groups
from tagger.data.sources.sample.recipes import ALOFT, CLOSE_UPS, HEIGHTS, LYING, PEOPLE, RECIPES, SHOWS, Light, Recipe

# Photo i takes the recipe at the fraction of i times this number: any prefix has every recipe in nearly its share.
GOLDEN_RATIO = 0.6180339887498949


@dataclass(frozen=True)
class Item:
    """One motif in a photo. Lengths are shares of the photo's side."""

    motif: str
    across: float
    """Where it stands from left (0) to right (1)."""
    down: float
    """Where its foot is, from top (0) to bottom (1)."""
    height: float
    seed: int
    """Fixes its colours, pose and tilt, whatever else is in the photo."""
    wears: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """One photo before it is drawn."""

    backdrop: str
    light: Light
    items: tuple[Item, ...]
    """From far to near, the order of drawing."""
    seed: int
    """Fixes the backdrop, the grain and the exposure."""

    @property
    def truth(self) -> frozenset[str]:
        """Labels that are present; every other one is absent."""
        people = sum(item.motif in PEOPLE for item in self.items)
        names = [*SHOWS[self.backdrop], *SHOWS[self.light], *(["human.group"] if people >= 3 else [])]
        for item in self.items:
            names += [*SHOWS[item.motif], *(f"object.{thing}" for thing in item.wears)]
        return with_groups(names)


UPRIGHT_LIMIT = 1.15
"""No person is higher, so that sunglasses stay below one per cent of the photo; nor higher than the photo."""


def plan_photo(seed: int, index: int) -> Plan:
    """Return what photo ``index`` of album ``seed`` shows; no other photo has a say in it.

    Example:
        >>> plan_photo(0, 5) == plan_photo(0, 5)
        True
    """
    rng = np.random.default_rng([seed, index])
    recipe = _recipe(seed, index)
    guests = [motif for motif, probability in recipe.guests.items() if rng.random() < probability]
    motifs = [member for guest in guests for member in _members(guest, rng)] or _fallback(recipe)
    places = rng.permutation(len(motifs))
    items = [_place(motif, (slot + 0.5) / len(motifs), recipe, rng) for motif, slot in zip(motifs, places, strict=True)]
    return Plan(recipe.backdrop, _light(recipe, rng), tuple(sorted(items, key=_nearness)), int(rng.integers(2**31)))


def _recipe(seed: int, index: int) -> Recipe:
    start = np.random.default_rng(seed).random()
    position = (start + index * GOLDEN_RATIO) % 1
    ends = accumulate(recipe.share for recipe in RECIPES)
    return next((recipe for recipe, end in zip(RECIPES, ends, strict=True) if position < end), RECIPES[-1])


def _members(guest: str, rng: np.random.Generator) -> list[str]:
    if guest != "family":
        return [guest]
    return [("adult", "child")[int(rng.random() < 0.4)] for _ in range(rng.integers(3, 6))]


def _fallback(recipe: Recipe) -> list[str]:
    """Return the likeliest motif for a close-up that would show nothing; a landscape may be empty."""
    return [max(recipe.guests, key=recipe.guests.__getitem__)] if recipe.backdrop in CLOSE_UPS else []


def _light(recipe: Recipe, rng: np.random.Generator) -> Light:
    draw = rng.random()
    if draw < recipe.sunset:
        return "sunset"
    return "night" if draw < recipe.sunset + recipe.night else "day"


def _place(motif: str, across: float, recipe: Recipe, rng: np.random.Generator) -> Item:
    """Put a motif into its slot, smaller where it stands farther away."""
    nearness = rng.random()
    far, near = ALOFT.get(motif, recipe.ground) if recipe.zoom < 3 else recipe.ground
    perspective = 1.0 if motif in ALOFT or recipe.backdrop in CLOSE_UPS else 0.6 + 0.5 * nearness
    down = far + (near - far) * nearness
    height = HEIGHTS[motif] * recipe.zoom * perspective * float(np.exp(0.2 * rng.standard_normal()))
    if motif in PEOPLE:
        height = min(height, UPRIGHT_LIMIT, down - 0.04)
    across = 0.5 + (across - 0.5) * 0.86 + 0.06 * rng.uniform(-1, 1)
    wears = _accessories(motif, height, recipe, rng)
    return Item(motif, float(across), down, height, int(rng.integers(2**31)), wears)


def _accessories(motif: str, height: float, recipe: Recipe, rng: np.random.Generator) -> tuple[str, ...]:
    draws = {"sunglasses": rng.random() < recipe.sunglasses, "watch": rng.random() < recipe.watch}
    large = {"sunglasses": 0.42, "watch": 0.5}
    return tuple(thing for thing, drawn in draws.items() if drawn and motif == "adult" and height > large[thing])


def _nearness(item: Item) -> tuple[int, float]:
    """Order from far to near such that nothing labelled is hidden: blossoms, birds and what people wear come last."""
    if item.motif in ALOFT and item.motif != "bird":
        return 0, item.down
    layer = 3 if item.wears or item.motif == "bird" else 2 if item.motif == "flower" else 1
    return layer, -item.height if item.motif in LYING else item.down
