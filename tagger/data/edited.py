"""Edited copies: one picture mirrored, turned by quarters, brighter or darker, cropped by a few per cent, or several.

A picture is kept as a grey thumbnail of 16 × 16, from whose frequencies (DCT) all these copies follow by arithmetic:
mirroring changes the signs of every second one, turning swaps rows and columns, brightness scales them, and a window of
the picture is a matrix times the picture.

Two pictures are compared by how their gradients correlate (`Likeness`): frequencies are weighed by their height, or
else a bright sky over dark ground would be all that counts. To find candidates among 900,000, each picture takes part
with eleven windows, upright in its own way: turned and mirrored so that it grows brighter to the right, and less so
downwards. Copies then have nearly the same 64 signs of their lowest frequencies in one window or another.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.fft import dct

from tagger.data.hamming import near_hashes

SIDE = 16
"""Of a thumbnail, which is as many bytes squared."""

CROP = 0.04
"""Windows leave out this share of the picture at a side, or twice as much, or nothing."""

BITS = 4
"""Bits in which two windows' signs may differ in the search."""


@dataclass(frozen=True)
class Likeness:
    """How alike two pictures must be to be copies: surely by their gradients, or by those and by their colours."""

    alone: float
    """Correlation of their gradients, -1..1."""
    coloured: float
    """The same where their colours are near, too."""
    colour: float
    """Mean difference of 4 × 4 fields' red, green and blue, 0..255, when both are equally bright."""


COPIES = Likeness(alone=0.94, coloured=0.86, colour=12.0)

CROWD = 50
"""Pictures that are copies of more than this many are no copies but forms, or silhouettes at sunset."""

FLAT = 2.0
"""Deviation of grey values below which a picture shows nothing; of the 9,075 photos the flattest has 9."""

_AMBIGUOUS = 0.05
"""How uncertain the direction is in which a picture grows brighter, as a share of what its lowest frequencies have."""

_WEIGHED = 12
"""Frequencies that are compared, across and down: the highest do not survive a window."""

_SPANS = ((0, 1), (CROP, 1 - CROP), (2 * CROP, 1 - 2 * CROP), (0, 1 - 2 * CROP), (2 * CROP, 1))
_SEARCHED = ((0, 0), (1, 1), (2, 2), (3, 3), (3, 4), (4, 3), (4, 4), (0, 3), (0, 4), (3, 0), (4, 0))
"""Windows that take part in the search, by their spans down and across."""

_ODD = np.where(np.arange(SIDE) % 2, np.float32(-1), np.float32(1))


def thumbnail(grey: Image.Image) -> bytes:
    """Return a grey picture in `SIDE` × `SIDE` bytes."""
    return grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS).tobytes()


def edited_copies(thumbnails: np.ndarray, colours: np.ndarray, *, likeness: Likeness = COPIES) -> np.ndarray:
    """Return the pairs of pictures of which one is an edited copy of the other.

    Args:
        thumbnails: uint8 (pictures, `SIDE` · `SIDE`); of flat ones no copies are found.
        colours: uint8 (pictures, 4 · 4 · 3).
        likeness: How alike they must be.

    Returns:
        Rows, int64 (pairs, 2), the lower one first, in ascending order.

    Example:
        >>> dice = np.random.default_rng(0)
        >>> pictures = dice.integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8)
        >>> pictures[2] = np.rot90(pictures[0])
        >>> edited_copies(pictures.reshape(3, -1), np.full((3, 48), 99, dtype=np.uint8)).tolist()
        [[0, 2]]
    """
    hashes, pictures, turns = _entries(thumbnails)
    found = [np.empty((0, 2), dtype=np.int64)]
    for entries in near_hashes(hashes, BITS):
        pairs, ways = pictures[entries], turns[entries]
        other = pairs[:, 0] != pairs[:, 1]
        pairs, ways = pairs[other], ways[other]
        alike = _alike(thumbnails, colours, pairs, ways, likeness)
        found.append(np.sort(pairs[alike], axis=1))
    both = np.concatenate(found)
    # One number for each pair, which sorts faster than two.
    codes = np.unique(both[:, 0] * len(thumbnails) + both[:, 1])
    pairs = np.stack(np.divmod(codes, max(len(thumbnails), 1)), axis=1)
    crowded = np.bincount(pairs.ravel(), minlength=len(thumbnails)) > CROWD
    return pairs[~crowded[pairs].any(axis=1)]


def _entries(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the hashes of all windows, uint64 (entries,), the picture of each, and how it was turned."""
    parts = [(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int8))]
    flips = [_packed(_turned(np.ones((1, SIDE, SIDE), np.float32), turn) < 0) for turn in range(4)]
    for of, block in _blocks(thumbnails):
        windows = _windows(block)
        for down, across in _SEARCHED:
            spectrum = windows[:, down, across]
            signs = [_packed(spectrum > 0), _packed(spectrum.swapaxes(1, 2) > 0)]
            right, below = spectrum[:, 0, 1], spectrum[:, 1, 0]
            tolerance = _AMBIGUOUS * np.linalg.norm(spectrum[:, :4, :4].reshape(len(block), -1)[:, 1:], axis=1)
            for turn in range(8):
                first, second = (below, right) if turn & 4 else (right, below)
                first, second = first * (-1) ** (turn & 1), second * (-1) ** (turn >> 1 & 1)
                rows = np.flatnonzero((np.minimum(first - second, second) > -tolerance) & (first > -tolerance))
                parts.append((signs[turn >> 2][rows] ^ flips[turn & 3], of[rows], np.full(len(rows), turn, np.int8)))
    hashes, pictures, turns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return hashes, pictures, turns


def _alike(
    thumbnails: np.ndarray, colours: np.ndarray, pairs: np.ndarray, turns: np.ndarray, likeness: Likeness
) -> np.ndarray:
    """Return which pairs, turned each in its own way, are copies, bool (pairs,)."""
    result = np.zeros(len(pairs), dtype=bool)
    for both in np.unique(turns, axis=0):
        rows = np.flatnonzero((turns == both).all(axis=1))
        for some in np.array_split(rows, len(rows) // 1024 + 1):
            sides = list(zip(pairs[some].T, both.tolist(), strict=True))
            fields = [_fields(colours[pictures], turn) for pictures, turn in sides]
            windows = [_turned(_windows(thumbnails[pictures]), turn) for pictures, turn in sides]
            needed = np.where(_colour_distance(*fields) <= likeness.colour, likeness.coloured, likeness.alone)
            result[some] = _correlation(*windows) >= needed
    return result


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how well one picture agrees with the best window of the other, -1..1, (pairs,).

    Args:
        first: Frequencies of every window, float32 (pairs, spans, spans, SIDE, SIDE).
        second: The same of the others.
    """
    first, second = _gradients(first), _gradients(second)
    best = [
        np.einsum("pk,pwk->pw", one[:, 0], other).max(axis=1, initial=-1)
        for one, other in ((first, second), (second, first))
    ]
    return np.maximum(*best)


def _gradients(spectra: np.ndarray) -> np.ndarray:
    """Return the directions of pictures in the space of gradients, float32 (pairs, windows, numbers), of length 1."""
    height = np.hypot(*np.indices((_WEIGHED, _WEIGHED), dtype=np.float32))
    weighed = (spectra[..., :_WEIGHED, :_WEIGHED] * height).reshape(len(spectra), len(_SPANS) ** 2, _WEIGHED**2)
    return weighed / np.maximum(np.linalg.norm(weighed, axis=-1, keepdims=True), 1e-6)


def _colour_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the mean difference of fields, float (pairs,), when both pictures are as bright as the two in the mean."""
    brightness = [np.maximum(fields.mean(axis=(1, 2, 3), keepdims=True), 1) for fields in (first, second)]
    common = sum(brightness) / 2
    return np.abs(first * (common / brightness[0]) - second * (common / brightness[1])).mean(axis=(1, 2, 3))


def _fields(colours: np.ndarray, turn: int) -> np.ndarray:
    """Return the 4 × 4 fields of pictures that are turned, float32 (pictures, 4, 4, 3)."""
    fields = colours.reshape(-1, 4, 4, 3).astype(np.float32)
    fields = fields.swapaxes(1, 2) if turn & 4 else fields
    return fields[:, :: -1 if turn & 2 else 1, :: -1 if turn & 1 else 1]


def _turned(spectra: np.ndarray, turn: int) -> np.ndarray:
    """Return the frequencies of pictures that are turned and mirrored, one of eight ways."""
    spectra = spectra.swapaxes(-1, -2) if turn & 4 else spectra
    spectra = spectra * _ODD if turn & 1 else spectra
    return spectra * _ODD[:, None] if turn & 2 else spectra


def _blocks(thumbnails: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows of pictures that show something, and their thumbnails, some thousands at a time."""
    for at in range(0, len(thumbnails), 1 << 13):
        block = thumbnails[at : at + (1 << 13)]
        rows = np.flatnonzero(block.std(axis=1) >= FLAT)
        if len(rows):
            yield at + rows, block[rows]


def _windows(thumbnails: np.ndarray) -> np.ndarray:
    """Return the frequencies of windows of pictures, by their spans down and across.

    Returns:
        float32 (pictures, spans, spans, SIDE, SIDE).
    """
    pictures = thumbnails.reshape(-1, SIDE, SIDE).astype(np.float32)
    count, spans = len(pictures), len(_SPANS)
    # Two large products of matrices instead of many small ones.
    across = (pictures.reshape(-1, SIDE) @ _OPERATORS.reshape(-1, SIDE).T).reshape(count, SIDE, spans, SIDE)
    down = across.transpose(0, 2, 3, 1).reshape(-1, SIDE) @ _OPERATORS.reshape(-1, SIDE).T
    return down.reshape(count, spans, SIDE, spans, SIDE).transpose(0, 3, 1, 4, 2)


def _operator(begin: float, end: float) -> np.ndarray:
    """Return the matrix from a line of pixels to the frequencies of a part of it, (SIDE, SIDE)."""
    transform = dct(np.eye(SIDE), norm="ortho", axis=0)
    at = begin + (end - begin) * (np.arange(SIDE) + 0.5) / SIDE
    waves = np.cos(np.pi * np.outer(at, np.arange(SIDE))) * np.sqrt(2 / SIDE)
    waves[:, 0] = np.sqrt(1 / SIDE)
    return (transform @ waves @ transform).astype(np.float32)


_OPERATORS = np.stack([_operator(*span) for span in _SPANS])


def _packed(signs: np.ndarray) -> np.ndarray:
    """Return the 64 lowest signs of pictures in a word each, uint64 (pictures,)."""
    return np.packbits(signs[:, :8, :8].reshape(-1, 64), axis=1).view(np.uint64)[:, 0]
