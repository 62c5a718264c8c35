"""What a backbone expects of a photo's pixels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Normalisation:
    """What the pretrained weights were trained with."""

    mean: tuple[float, ...]
    """Per channel, in 0..1."""
    std: tuple[float, ...]
    """Per channel, in 0..1."""
    interpolation: str
    """``bicubic`` or ``bilinear``: how photos were resized."""
