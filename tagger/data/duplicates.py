"""The same photo twice, and photos that are nearly the same: found by what is seen, not by bytes.

A photo that two sources share, re-encoded or resized, must be one photo (`SAME`). Near-duplicates, the frames of a
burst above all, must share a fold, or a model is tested on what it was trained on (`ALIKE`).

Two pictures are compared by three things, cheap to precise: a hash of 64 bits, one of 256, and the colours of 4 × 4
fields. The hashes are the signs of the picture's lowest frequencies (pHash): they do not see colour, and a jet on blue
sky has nearly those of an albatross on blue sky. The colours tell such pairs apart. Mirrored, turned, brightened and
cropped copies have other hashes; they are found by their thumbnails (:mod:`tagger.data.edited`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tagger.data.edited import SIDE, edited_copies, thumbnail
from tagger.data.hamming import WINDOW, near_hashes

BYTES = 344
"""Length of a fingerprint: 8 bytes of coarse hash, 32 of fine hash, 48 of colours (4 × 4 fields, RGB), and a grey
thumbnail of 16 × 16 (:mod:`tagger.data.edited`)."""

EARLIER_BYTES = 88
"""Of a fingerprint that an earlier version made: the same without the thumbnail."""

AT_LEAST = (128, 128)
"""To what size a photo is decoded for its fingerprint (`tagger.data.photo.decode`). From pictures twice as small the
fine hashes of one photo in two sizes differ in up to 16 bits instead of 10."""

ALONE = -1
"""The group of a photo that is in none."""

_COARSE, _FINE, _COLOURS, _THUMBNAIL = slice(0, 8), slice(8, 40), slice(40, 88), slice(88, BYTES)
_FLAT = 2.0
"""Deviation of grey values below which a picture shows nothing; of the 9,075 photos the flattest has 9."""


@dataclass(frozen=True)
class Distance:
    """How different two fingerprints may be: all three limits hold.

    Raises:
        ValueError: If ``coarse`` is not in 0..16: a search sorts (coarse + 3 choose 3) times.
    """

    coarse: int
    """Bits of the 64."""
    fine: int
    """Bits of the 256; unrelated photos differ in about 128."""
    colour: float
    """Mean difference of the fields' red, green and blue, 0..255."""

    def __post_init__(self) -> None:
        if not 0 <= self.coarse <= 16:
            raise ValueError(f"coarse must lie in 0..16, got {self.coarse}")


SAME = Distance(coarse=6, fine=12, colour=2.0)
"""One photo, re-encoded or resized. Measured on 9,075 photos (Corel, VOC, Flickr) and copies of 500 of them: copies at
JPEG quality 75 and 40, at half and 80 % and twice the size, and as PNG are all found, at quality 20 97 % are. No two of
the 9,075 photos are that near; the nearest, at (4, 14, 2.5), are frames of one burst, the first two of different scenes
at (8, 60, 19)."""

ALIKE = Distance(coarse=8, fine=72, colour=16.0)
"""Frames of one scene. Of the 9,075 photos 10 pairs are that near, each of them truly one scene; copies
that are cropped by 2 pixels or 10 % brighter are found too (98 and 99 %). It finds frames that hardly differ: where the
animal has walked on, the pair is missed. Sources that know their series say so themselves (``group``)."""

CLOSE = Distance(coarse=6, fine=24, colour=4.0)
"""What counts in a crowd instead of ALIKE; never less than SAME, so that one photo is never in two groups."""

CROWD = 50
"""More photos than this that are alike are no burst but a form: scanned ID cards, title pages, jets on plain sky differ
from each other as little as frames of a burst do. 596 of 600 drawn ID cards would be one ALIKE group, and their label
in one fold; by CLOSE their largest group has 3."""


def fingerprint(picture: Image.Image) -> bytes:
    """Return what a picture looks like, in `BYTES` bytes; the same for the same pixels.

    A picture without structure (grey values that deviate by less than 2) has hashes of zeros: the signs of its
    frequencies would be those of the noise.

    Args:
        picture: RGB, upright, decoded to `AT_LEAST`.

    Example:
        >>> fingerprint(Image.new("RGB", (128, 128), (255, 0, 0)))[:88].hex() == 80 * "0" + 16 * "ff0000"
        True
    """
    grey = picture.convert("L")
    colours = picture.resize((4, 4), Image.Resampling.BOX).tobytes()
    if np.asarray(grey.resize((16, 16), Image.Resampling.BOX)).std() < _FLAT:
        return bytes(40) + colours + bytes(SIDE * SIDE)
    coarse, fine = (np.packbits(imagehash.phash(grey, hash_size=size).hash).tobytes() for size in (8, 16))
    return coarse + fine + colours + thumbnail(grey)


def as_rows(fingerprints: Iterable[bytes]) -> np.ndarray:
    """Return fingerprints as rows, uint8 (photos, `BYTES`).

    Those of an earlier version have no thumbnail: of such a photo copies as it is are found, and no edited ones.

    Raises:
        ValueError: If one is no fingerprint.
    """
    rows = []
    for one in fingerprints:
        if len(one) not in (EARLIER_BYTES, BYTES):
            raise ValueError(
                f"a fingerprint has {BYTES} bytes, or {EARLIER_BYTES} from an earlier version; got {len(one)}"
            )
        rows.append(one.ljust(BYTES, b"\0"))
    return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, BYTES)


@dataclass(frozen=True)
class Duplicates:
    """The groups of all photos, int64 (photos,) each; see `groups`."""

    same: np.ndarray
    """Photos that are one photo; such a group lies within one of ``alike``."""
    alike: np.ndarray
    """Photos that must share a fold: nearly the same, or edited copies (mirrored, turned, brighter, cropped)."""


def duplicates(fingerprints: np.ndarray) -> Duplicates:
    """Return which photos are the same and which are alike.

    When photos are added, give the old ones and the new ones together: the search of 900,000 takes half a minute and
    0.4 GB, and groups keep their numbers as long as the old photos keep their rows. A new photo may join two groups,
    and may make a crowd of one, which then falls apart.

    Args:
        fingerprints: uint8 (photos, `BYTES`).

    Example:
        >>> dice = np.random.default_rng(0)
        >>> prints = dice.integers(0, 256, (4, BYTES), dtype=np.uint8)
        >>> prints[2] = prints[1]
        >>> duplicates(prints).same
        array([-1,  1,  1, -1])
    """
    pairs = near_pairs(fingerprints, distance=ALIKE)
    close = within(fingerprints, pairs, distance=CLOSE)
    same = within(fingerprints, pairs, distance=SAME)
    photos = len(fingerprints)
    edited = _edited(fingerprints)
    both = np.concatenate([pairs, edited])
    # In a crowd an edited copy counts, too: its limits are strict.
    close = np.append(close, np.ones(len(edited), dtype=bool))
    return Duplicates(same=groups(pairs[same], photos), alike=groups(both, photos, close=close))


def _edited(fingerprints: np.ndarray) -> np.ndarray:
    """Return the pairs of photos of which one is an edited copy of the other; of equal ones only the first counts."""
    rows = np.ascontiguousarray(fingerprints).view(f"V{BYTES}")[:, 0]
    first = np.sort(np.unique(rows, return_index=True)[1])
    return first[edited_copies(fingerprints[first, _THUMBNAIL], fingerprints[first, _COLOURS])]


def near_pairs(fingerprints: np.ndarray, *, distance: Distance) -> np.ndarray:
    """Return the pairs of photos that are no further apart.

    Of photos with equal fingerprints only the first is compared, and paired with each of the others: thousands of blank
    ones are thousands of pairs, not millions. Blank ones (hashes of zeros) are near to nothing else. Of photos that
    have more than `CROWD` partners only the pairs that are `CLOSE` are returned. Otherwise nothing is missed, unless
    more than `WINDOW` photos agree on three chunks of bits.

    Args:
        fingerprints: uint8 (photos, `BYTES`).
        distance: How different the two of a pair may be.

    Returns:
        Rows, int64 (pairs, 2), the lower one first, in ascending order.

    Raises:
        ValueError: If the fingerprints are not of that shape and type.

    Example:
        >>> prints = np.full((3, BYTES), 7, dtype=np.uint8)
        >>> prints[1, 0] ^= 3
        >>> prints[2, 0] = 200
        >>> near_pairs(prints, distance=Distance(coarse=2, fine=0, colour=0))
        array([[0, 1]])
    """
    if fingerprints.dtype != np.uint8 or fingerprints.ndim != 2 or fingerprints.shape[1] != BYTES:
        raise ValueError(
            f"fingerprints must be uint8 (photos, {BYTES}), got {fingerprints.dtype} {fingerprints.shape}; "
            "were they made by another version?"
        )
    rows = np.ascontiguousarray(fingerprints).view(f"V{BYTES}")[:, 0]
    _, first, copy_of = np.unique(rows, return_index=True, return_inverse=True)
    structured = first[_hashes(fingerprints[first], _COARSE)[:, 0] != 0]
    near = structured[_search(fingerprints[structured], distance)]
    copies = np.stack([first[copy_of], np.arange(len(rows))], axis=1)
    pairs = np.concatenate([np.sort(near, axis=1), copies[copies[:, 0] != copies[:, 1]]])
    # One number for each pair, which sorts faster than two.
    codes = np.unique(pairs[:, 0] * len(rows) + pairs[:, 1])
    return np.stack(np.divmod(codes, max(len(rows), 1)), axis=1)


def within(fingerprints: np.ndarray, pairs: np.ndarray, *, distance: Distance) -> np.ndarray:
    """Return which pairs are no further apart, bool (pairs,).

    Args:
        fingerprints: uint8 (photos, `BYTES`).
        pairs: Rows, int64 (pairs, 2).
        distance: How different the two of a pair may be.
    """
    result = np.zeros(len(pairs), dtype=bool)
    # Some at a time: a pair is 16 bytes, what is compared 176.
    for at in range(0, len(pairs), 1 << 18):
        near = np.arange(at, min(at + (1 << 18), len(pairs)))
        for part, limit in ((_COARSE, distance.coarse), (_FINE, distance.fine)):
            first, second = (_hashes(fingerprints[pairs[near, side]], part) for side in (0, 1))
            near = near[np.bitwise_count(first ^ second).sum(axis=1) <= limit]
        first, second = (fingerprints[pairs[near, side], _COLOURS] for side in (0, 1))
        result[near] = (np.maximum(first, second) - np.minimum(first, second)).mean(axis=1) <= distance.colour
    return result


def groups(pairs: np.ndarray, photos: int, *, close: np.ndarray | None = None) -> np.ndarray:
    """Join photos that are paired, directly or by way of others.

    Args:
        pairs: Rows, int64 (pairs, 2).
        photos: Number of photos.
        close: bool (pairs,), which pairs count in groups of more than `CROWD` photos: a long chain of photos that are
            each alike the next has unlike ends. None: all.

    Returns:
        Group of each photo, int64 (photos,): the row of its first photo, or -1 if it is alone.

    Example:
        >>> groups(np.array([[1, 4], [2, 4]]), 5).tolist()
        [-1, 1, 1, -1, 1]
    """
    result = _joined(pairs, photos)
    if close is not None:
        sizes = np.bincount(result, minlength=photos)
        result = _joined(pairs[close | (sizes[result[pairs[:, 0]]] <= CROWD)], photos)
    result[np.bincount(result, minlength=photos)[result] == 1] = ALONE
    return result


def _joined(pairs: np.ndarray, photos: int) -> np.ndarray:
    """Return the lowest row that each photo is connected to, itself if it is alone."""
    links = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(photos, photos))
    _, numbers = connected_components(links, directed=False)
    _, first = np.unique(numbers, return_index=True)
    return first[numbers]


def _hashes(fingerprints: np.ndarray, part: slice) -> np.ndarray:
    """Return the bits of a hash in words, uint64 (photos, words)."""
    return np.ascontiguousarray(fingerprints[:, part]).view(np.uint64)


def _search(fingerprints: np.ndarray, distance: Distance) -> np.ndarray:
    """Return the near pairs of distinct fingerprints, those of crowds only if they are close; some pairs twice."""
    hashes = _hashes(fingerprints, _COARSE)[:, 0]
    partners = np.zeros(len(fingerprints), dtype=np.int64)
    found = [np.empty((0, 2), dtype=np.int64)]
    for candidates in near_hashes(hashes, distance.coarse):
        pairs = candidates[within(fingerprints, candidates, distance=distance)]
        np.add.at(partners, pairs.ravel(), 1)
        # Not only at the end: the pairs of a crowd are too many to keep. No partner is ever taken back, so those left
        # out now would be left out then.
        found.append(_uncrowded(pairs, partners, fingerprints))
    found = [_uncrowded(np.concatenate(found), partners, fingerprints)]
    _, kind, photos = np.unique(hashes, return_inverse=True, return_counts=True)
    crowd = np.flatnonzero((partners > CROWD) | (photos[kind] > WINDOW))
    found.extend(crowd[pairs] for pairs in _close_pairs(fingerprints[crowd], distance))
    return np.concatenate(found)


def _close_pairs(crowd: np.ndarray, distance: Distance) -> Iterator[np.ndarray]:
    """Yield the close pairs among fingerprints that the coarse hash does not tell apart.

    Of the four words of the fine hash, one has at most a quarter of the differing bits.
    """
    for word in _hashes(crowd, _FINE).T:
        for pairs in near_hashes(word, min(distance.fine, CLOSE.fine) // 4):
            near = pairs[within(crowd, pairs, distance=distance)]
            yield near[within(crowd, near, distance=CLOSE)]


def _uncrowded(pairs: np.ndarray, partners: np.ndarray, fingerprints: np.ndarray) -> np.ndarray:
    """Return the pairs without those of photos with too many partners that are not close."""
    keep = (partners[pairs] <= CROWD).all(axis=1)
    keep[~keep] = within(fingerprints, pairs[~keep], distance=CLOSE)
    return pairs[keep]
