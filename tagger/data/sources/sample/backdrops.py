"""Where photos are taken. Every backdrop fills the whole image."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from tagger.data.sources.sample.close_up import macro, studio, tabletop, underwater
from tagger.data.sources.sample.recipes import Light
from tagger.data.sources.sample.rooms import home, office
from tagger.data.sources.sample.town import city, park
from tagger.data.sources.sample.wild import beach, desert, forest, mountain, sea, snowfield, snowy_mountain

BACKDROPS: dict[str, Callable[[Image.Image, np.random.Generator, Light], None]] = {
    "beach": beach,
    "forest": forest,
    "mountain": mountain,
    "snowy_mountain": snowy_mountain,
    "snowfield": snowfield,
    "city": city,
    "park": park,
    "home": home,
    "office": office,
    "tabletop": tabletop,
    "studio": studio,
    "macro": macro,
    "underwater": underwater,
    "sea": sea,
    "desert": desert,
}
