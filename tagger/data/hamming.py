"""Hashes of 64 bits that differ in few of them, among millions.

All pairs of 900,000 would be 400 billion. The pigeonhole principle spares them: if the 64 bits are cut in d + 3 chunks,
two hashes that differ in at most d bits agree on at least 3 whole chunks, so it is enough to sort by each choice of 3
and to compare neighbours. (One chunk of d + 1, as usual, is too short for that: with 7 bits, a hash would have 7,000
neighbours.)
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

WINDOW = 128
"""Neighbours that a hash is compared with at most, for one choice of chunks. Were the 9,075 photos a hundredth of
900,000, it would have 6 on average; all 5,000 pairs planted among such 900,000 were found even with a window of 64."""

_KEYED = 3
_ODD = np.uint64(0x9E3779B97F4A7C15)
_LOW = np.uint64(0xFFFFFFFF)


def near_hashes(hashes: np.ndarray, distance: int) -> Iterator[np.ndarray]:
    """Yield rows, int64 (pairs, 2), of hashes that differ in at most so many bits, some at a time; no pair twice.

    Args:
        hashes: uint64 (hashes,).
        distance: Bits in which two may differ; (distance + 3 choose 3) times everything is sorted.
    """
    chunks = distance + _KEYED
    # Every so-maniest bit: neighbouring frequencies have neighbouring bits, and a chunk of them would tell less.
    masks = np.array([sum(1 << bit for bit in range(chunk, 64, chunks)) for chunk in range(chunks)], dtype=np.uint64)
    for choice in combinations(range(chunks), _KEYED):
        mask = np.bitwise_or.reduce(masks[list(choice)])
        earlier = [masks[chunk] for chunk in range(choice[-1]) if chunk not in choice]
        for pairs in _neighbours(hashes, mask, distance):
            differing = hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]
            # A pair that agrees on more chunks is met more often; it counts where its first three are the choice.
            first_met = np.all([differing & mask == 0, *(differing & other != 0 for other in earlier)], axis=0)
            yield pairs[first_met]


def _neighbours(hashes: np.ndarray, mask: np.uint64, distance: int) -> Iterator[np.ndarray]:
    """Yield rows of near hashes that agree on the masked bits, and a few that do not."""
    # One sort of one array: the upper half of a word is a hash of the masked bits, the lower half the row.
    keys = (hashes & mask) * _ODD & ~_LOW | np.arange(len(hashes), dtype=np.uint64)
    keys.sort()
    rows = (keys & _LOW).astype(np.int64)
    keys >>= np.uint64(32)
    hashes = hashes[rows]
    at = np.arange(len(rows))
    for step in range(1, WINDOW + 1):
        at = at[: np.searchsorted(at, len(rows) - step)]
        at = at[keys[at] == keys[at + step]]
        if not at.size:
            return
        near = at[np.bitwise_count(hashes[at] ^ hashes[at + step]) <= distance]
        if near.size:
            yield np.stack([rows[near], rows[near + step]], axis=1)
