"""Open Images V4 to V7, as published."""

from tagger.data.sources.open_images.source import OpenImages, class_descriptions

__all__ = ["OpenImages", "class_descriptions"]
