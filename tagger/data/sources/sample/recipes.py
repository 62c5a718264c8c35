"""The kinds of photos in the sample album: what is seen where, how often, how large."""

from dataclasses import dataclass
from typing import Literal

Light = Literal["day", "sunset", "night"]

PEOPLE = frozenset({"adult", "child", "swimmer", "skier", "cyclist"})

SHOWS: dict[str, tuple[str, ...]] = {
    "day": (),
    "sunset": ("scene.sunset",),
    "night": ("scene.night",),
    "beach": ("scene.beach",),
    "forest": ("scene.forest", "plant.tree"),
    "mountain": ("scene.mountain",),
    "snowy_mountain": ("scene.mountain", "scene.snow"),
    "snowfield": ("scene.snow",),
    "city": ("scene.city",),
    "park": ("scene.park",),
    "home": ("scene.indoor",),
    "office": ("scene.office", "scene.indoor"),
    "tabletop": (),
    "macro": (),
    "studio": (),
    "underwater": (),
    "sea": (),
    "desert": (),
    "adult": ("human.adult",),
    "child": ("human.child",),
    "swimmer": ("human.adult", "activity.swimming"),
    "skier": ("human.adult", "activity.skiing"),
    "cyclist": ("human.adult", "activity.cycling"),
    "tent": ("activity.camping",),
    "dog": ("animal.dog",),
    "cat": ("animal.cat",),
    "bird": ("animal.bird",),
    "fish": ("animal.fish",),
    "tree": ("plant.tree",),
    "conifer": ("plant.tree",),
    "palm": ("plant.tree",),
    "flower": ("plant.flower",),
    "potted_plant": ("plant.potted_plant",),
    "fruit": ("food.fruit",),
    "cake": ("food.cake",),
    "pizza": ("food.pizza",),
    "umbrella": ("object.umbrella",),
    "car": ("object.car",),
    "balloon": ("object.balloon",),
    "watch": ("object.watch",),
    "id_card": ("document.id_card",),
    "receipt": ("document.receipt",),
    "handwriting": ("document.handwriting",),
    "screenshot": ("document.screenshot",),
    # Not labelled, like the sea and the desert: there to be told from what is.
    "sailboat": (),
    "snowman": (),
    "cup": (),
    "ball": (),
    "plate": (),
    "page": (),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A kind of photo: how often it is taken and what comes with it."""

    backdrop: str
    share: float
    """Share of the album; the shares of all recipes sum to 1."""
    guests: dict[str, float]
    """Probability of each motif; ``family`` stands for three to five people."""
    sunset: float = 0.0
    night: float = 0.0
    ground: tuple[float, float] = (0.68, 0.96)
    """Where feet may stand, from far to near."""
    zoom: float = 1.0
    sunglasses: float = 0.0
    """Probability for each person that is large enough to see it on."""
    watch: float = 0.0


RECIPES = (
    Recipe(
        backdrop="beach",
        share=0.112,
        sunset=0.25,
        night=0.03,
        ground=(0.74, 0.97),
        sunglasses=0.45,
        guests={"palm": 0.35, "umbrella": 0.35, "swimmer": 0.2, "sailboat": 0.3, "bird": 0.22, "dog": 0.1}
        | {"adult": 0.4, "child": 0.25, "family": 0.13, "ball": 0.15},
    ),
    Recipe(
        backdrop="forest",
        share=0.109,
        sunset=0.04,
        sunglasses=0.12,
        guests={"tree": 0.3, "conifer": 0.3, "tent": 0.08, "cyclist": 0.08, "bird": 0.2, "dog": 0.12}
        | {"adult": 0.3, "child": 0.1, "family": 0.04, "flower": 0.15},
    ),
    Recipe(
        backdrop="mountain",
        share=0.075,
        sunset=0.2,
        night=0.05,
        sunglasses=0.35,
        guests={"conifer": 0.45, "tree": 0.15, "tent": 0.18, "cyclist": 0.1, "bird": 0.15, "dog": 0.05}
        | {"adult": 0.35, "family": 0.05, "flower": 0.12, "car": 0.06},
    ),
    Recipe(
        backdrop="snowy_mountain",
        share=0.035,
        sunset=0.1,
        sunglasses=0.3,
        guests={"conifer": 0.5, "skier": 0.5, "bird": 0.08, "adult": 0.15, "child": 0.08},
    ),
    Recipe(
        backdrop="snowfield",
        share=0.055,
        sunset=0.08,
        guests={"conifer": 0.5, "skier": 0.25, "snowman": 0.25, "adult": 0.25, "child": 0.25, "dog": 0.1, "car": 0.05}
        | {"family": 0.04},
    ),
    Recipe(
        backdrop="city",
        share=0.117,
        sunset=0.08,
        night=0.4,
        ground=(0.8, 0.97),
        sunglasses=0.2,
        guests={"car": 0.5, "tree": 0.25, "umbrella": 0.1, "cyclist": 0.1, "adult": 0.4, "child": 0.12, "family": 0.07}
        | {"dog": 0.06, "bird": 0.07, "balloon": 0.03},
    ),
    Recipe(
        backdrop="park",
        share=0.088,
        sunset=0.08,
        night=0.04,
        sunglasses=0.25,
        guests={"tree": 0.7, "flower": 0.35, "dog": 0.22, "child": 0.35, "adult": 0.3, "family": 0.1, "cyclist": 0.1}
        | {"balloon": 0.08, "bird": 0.15, "ball": 0.2, "umbrella": 0.04},
    ),
    Recipe(
        backdrop="home",
        share=0.112,
        watch=0.05,
        guests={"cat": 0.22, "dog": 0.12, "adult": 0.35, "child": 0.22, "family": 0.07, "potted_plant": 0.22}
        | {"balloon": 0.06, "flower": 0.05, "ball": 0.1},
    ),
    Recipe(
        backdrop="home",
        share=0.015,
        guests={"cake": 0.9, "balloon": 0.8, "child": 0.8, "family": 0.35},
    ),
    Recipe(
        backdrop="office",
        share=0.045,
        watch=0.1,
        guests={"adult": 0.6, "potted_plant": 0.35, "cup": 0.3},
    ),
    Recipe(
        backdrop="tabletop",
        share=0.055,
        ground=(0.7, 0.88),
        guests={"fruit": 0.5, "cake": 0.3, "pizza": 0.35, "cup": 0.5, "flower": 0.08, "watch": 0.08}
        | {"plate": 0.35, "page": 0.15},
    ),
    Recipe(
        backdrop="studio",
        share=0.025,
        ground=(0.98, 1.3),
        zoom=1.5,
        sunglasses=0.3,
        watch=0.2,
        guests={"adult": 0.75, "child": 0.4, "umbrella": 0.1, "balloon": 0.08},
    ),
    Recipe(backdrop="studio", share=0.02, ground=(0.9, 1.0), zoom=2.2, guests={"cat": 0.6, "dog": 0.5}),
    Recipe(backdrop="macro", share=0.015, ground=(0.95, 1.1), zoom=3.2, guests={"flower": 1.0, "bird": 0.1}),
    Recipe(backdrop="underwater", share=0.015, ground=(0.35, 0.8), guests={"fish": 1.0}),
    Recipe(backdrop="tabletop", share=0.006, ground=(0.6, 0.75), guests={"watch": 1.0, "cup": 0.4}),
    Recipe(backdrop="tabletop", share=0.009, ground=(0.65, 0.85), guests={"id_card": 1.0, "cup": 0.2}),
    Recipe(backdrop="tabletop", share=0.009, ground=(0.9, 1.0), guests={"receipt": 1.0, "cup": 0.2, "watch": 0.04}),
    Recipe(backdrop="tabletop", share=0.012, ground=(0.95, 1.05), guests={"handwriting": 1.0, "cup": 0.2}),
    Recipe(
        backdrop="tabletop",
        share=0.016,
        ground=(0.75, 0.9),
        zoom=0.7,
        guests={
            "id_card": 0.35,
            "receipt": 0.4,
            "handwriting": 0.45,
            "page": 0.5,
            "cup": 0.4,
            "flower": 0.1,
            "fruit": 0.1,
        },
    ),
    Recipe(backdrop="tabletop", share=0.015, ground=(1.0, 1.0), guests={"screenshot": 1.0}),
    Recipe(backdrop="sea", share=0.02, sunset=0.2, guests={"sailboat": 0.6, "bird": 0.4}),
    Recipe(
        backdrop="desert",
        share=0.02,
        sunset=0.25,
        sunglasses=0.4,
        guests={"adult": 0.4, "car": 0.2, "bird": 0.15, "tent": 0.1, "family": 0.05},
    ),
)

HEIGHTS = {
    "adult": 0.55,
    "child": 0.4,
    "swimmer": 0.16,
    "skier": 0.5,
    "cyclist": 0.46,
    "tent": 0.3,
    "dog": 0.24,
    "cat": 0.22,
    "bird": 0.09,
    "fish": 0.17,
    "tree": 0.62,
    "conifer": 0.62,
    "palm": 0.68,
    "flower": 0.22,
    "potted_plant": 0.36,
    "fruit": 0.27,
    "cake": 0.3,
    "pizza": 0.27,
    "umbrella": 0.5,
    "car": 0.22,
    "balloon": 0.48,
    "watch": 0.28,
    "id_card": 0.38,
    "receipt": 0.85,
    "handwriting": 0.9,
    "screenshot": 1.0,
    "sailboat": 0.2,
    "snowman": 0.32,
    "cup": 0.18,
    "ball": 0.08,
    "plate": 0.3,
    "page": 0.8,
}
"""Usual height of a motif in the foreground."""

CLOSE_UPS = frozenset({"tabletop", "macro", "studio", "underwater"})
"""Backdrops that show nothing by themselves, and where distance does not count."""

ALOFT = {"bird": (0.1, 0.42), "sailboat": (0.5, 0.54), "swimmer": (0.58, 0.68)}
"""Motifs that do not stand on the ground, and where their lower edge is."""

LYING = frozenset({"watch", "id_card", "receipt", "handwriting", "page"})
"""Motifs that may lie at any angle on a table, larger ones below."""
