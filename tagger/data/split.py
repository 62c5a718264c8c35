"""Label-stratified folds: every label is spread over the folds in proportion, the rare ones first.

Sechidis, Tsoumakas & Vlahavas 2011, "On the stratification of multi-label data": the label with the fewest photos left
is dealt next, because a rare label can be spread evenly only while its photos are free. Theirs deals photo by photo;
here all that is left of a label is dealt at once, so the sparse matrix is read once, and photos that share their rarest
labels take turns in going to the folds. Being a photo counts as one more label: always the commonest, it is dealt last
and fills the folds up with photos that carry no label.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csc_array, csr_array, hstack

from tagger.data.states import PRESENT

FREE = -1
"""The fold of a photo that has none yet."""


def stratified_folds(
    states: csr_array,
    *,
    folds: int = 10,
    groups: np.ndarray | None = None,
    existing: np.ndarray | None = None,
    within: Sequence[int] | None = None,
    seed: int,
) -> np.ndarray:
    """Give every photo a fold, so that each label is spread over the folds as evenly as it can be.

    A label with fewer photos than folds has at most one in each fold, unless its photos carry a rarer label that says
    otherwise or share a group.

    Args:
        states: int8 (photos, labels); what is not stored is unknown. Only present labels are spread.
        folds: Number of folds, 1..127.
        groups: (photos,) photos with the same number stay together, as near-duplicates must; -1 is a group of its own.
        existing: (photos,) folds given earlier, or -1. They are kept, and count. A new photo joins the fold that most
            of its group has.
        within: Folds that the others are dealt into; None: all.
        seed: Decides among equals.

    Returns:
        Folds 0..folds - 1, int8 (photos,).

    Raises:
        ValueError: If ``folds`` or a value of ``existing`` is out of range, or an array is not one value per photo.

    Example:
        >>> states = csr_array(np.array([[1], [1], [0], [0]], dtype=np.int8))
        >>> first, second, third, fourth = stratified_folds(states, folds=2, seed=0).tolist()
        >>> first != second and third != fourth
        True
    """
    photos = states.shape[0]
    if not 1 <= folds <= 127:
        raise ValueError(f"folds must lie in 1..127, got {folds}")
    result = _one_per_photo("existing", existing, photos).astype(np.int8)
    if photos and not (result.min() >= FREE and result.max() < folds):
        raise ValueError(f"existing must lie in -1..{folds - 1}, got {result.min()}..{result.max()}")
    groups = _one_per_photo("groups", groups, photos)
    join_groups(result, groups)

    present = _present(states)
    free = np.flatnonzero(result == FREE)
    item_of, items = _items(present[free], groups[free])
    rng = np.random.default_rng(seed)
    open_ = np.arange(folds, dtype=np.int8) if within is None else np.array(within, dtype=np.int8)
    result[free] = open_[_deal(items, _placed(present, result, open_), rng)][item_of]
    return result


def official_folds(
    split: np.ndarray,
    states: csr_array,
    *,
    folds: int = 10,
    groups: np.ndarray | None = None,
    existing: np.ndarray | None = None,
    seed: int,
) -> np.ndarray:
    """Give the folds of a data set that comes with a test set: that is fold 0; the rest is stratified over the others.

    Args:
        split: (photos,) ``"test"`` or ``"train"``.
        states: As in `stratified_folds`.
        folds: Number of folds with the test fold, 2..127.
        groups: As in `stratified_folds`, among the training photos: the published test set stays as published.
        existing: As in `stratified_folds`.
        seed: Decides among equals.

    Returns:
        Folds 0..folds - 1, int8 (photos,).

    Raises:
        ValueError: If ``split`` holds another word, contradicts ``existing``, or `stratified_folds` refuses.

    Example:
        >>> states = csr_array(np.ones((3, 1), dtype=np.int8))
        >>> official_folds(np.array(["train", "test", "train"]), states, folds=3, seed=0)[1].item()
        0
    """
    strange = split[~np.isin(split, ["train", "test"])]
    if strange.size:
        raise ValueError(f"split must be 'train' or 'test', got '{strange[0]}'")
    result = np.zeros(states.shape[0], dtype=np.int8)
    existing = _one_per_photo("existing", existing, len(result))
    wrong = np.flatnonzero((existing != FREE) & ((existing == 0) != (split == "test")))
    if wrong.size:
        photo = wrong[0]
        raise ValueError(f"photo {photo} is in the official {split[photo]} set, but already has fold {existing[photo]}")
    train = np.flatnonzero(split == "train")
    result[train] = 1 + stratified_folds(
        states[train],
        folds=folds - 1,
        groups=None if groups is None else groups[train],
        existing=np.maximum(existing[train] - 1, FREE),
        seed=seed,
    )
    return result


def join_copies(folds: np.ndarray, groups: np.ndarray, *, fixed: np.ndarray) -> np.ndarray:
    """Return folds in which each photo is in that of the first of its group, a fixed one if there is any.

    Only copies move: folds that were dealt as if there were none stay as they are for all others.

    Args:
        folds: (photos,).
        groups: As in `stratified_folds`.
        fixed: Photos that stay where they are, bool (photos,).

    Example:
        >>> join_copies(np.array([4, 7, 2]), np.array([0, 1, 0]), fixed=np.zeros(3, bool)).tolist()
        [4, 7, 4]
    """
    order = np.lexsort((np.arange(len(folds)), ~fixed, groups))
    _, begin, group = np.unique(groups[order], return_index=True, return_inverse=True)
    result = folds.copy()
    result[order] = folds[order][begin][group]
    return np.where(fixed | (groups < 0), folds, result).astype(np.int8)


def _one_per_photo(name: str, values: np.ndarray | None, photos: int) -> np.ndarray:
    values = np.full(photos, FREE) if values is None else np.asarray(values)
    if values.shape != (photos,):
        raise ValueError(f"{name} must hold one value for each of {photos} photos, got shape {values.shape}")
    return values


def _present(states: csr_array) -> csr_array:
    """Return the present labels as ones, int32 (photos, labels + 1): the last column says "is a photo"."""
    labels = csr_array(states == PRESENT, dtype=np.int32)
    everything = csr_array(np.ones((states.shape[0], 1), dtype=np.int32))
    return csr_array(hstack([labels, everything], format="csr"))


def join_groups(result: np.ndarray, groups: np.ndarray) -> None:
    """Give photos without a fold, in place, the one that most photos of their group have.

    Args:
        result: Folds, or ``FREE``, int8 (photos,).
        groups: As in `stratified_folds`.
    """
    old = np.flatnonzero((groups >= 0) & (result != FREE))
    new = np.flatnonzero((groups >= 0) & (result == FREE))
    if not (old.size and new.size):
        return
    known, member = np.unique(groups[old], return_inverse=True)
    votes = np.zeros((len(known), result.max() + 1), dtype=np.int64)
    np.add.at(votes, (member, result[old]), 1)
    new = new[np.isin(groups[new], known)]
    result[new] = votes.argmax(axis=1)[np.searchsorted(known, groups[new])]


def _items(present: csr_array, groups: np.ndarray) -> tuple[np.ndarray, csr_array]:
    """Return the item of every photo and the photos of every item by label, (items, labels + 1)."""
    photos = len(groups)
    # None has a group, or each has its own.
    if not (groups >= 0).any() or (groups[0] >= 0 and (np.diff(groups) > 0).all()):
        return np.arange(photos), present
    alone = groups.max() + 1 + np.arange(photos)
    names, item_of = np.unique(np.where(groups >= 0, groups, alone), return_inverse=True)
    member = csr_array((np.ones(photos, dtype=np.int32), (item_of, np.arange(photos))), shape=(len(names), photos))
    return item_of, csr_array(member @ present)


def _placed(present: csr_array, result: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return how many photos of each label each of some folds holds already, (labels + 1, folds)."""
    per_fold = [present[result == fold].sum(axis=0) for fold in folds]
    return np.stack(per_fold, axis=1).astype(np.float64)


def _deal(items: csr_array, placed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a fold for every item, int8 (items,); ``placed`` is what the folds hold before, (labels + 1, folds)."""
    columns = csc_array(items)
    left = items.sum(axis=0).astype(np.float64)
    alike = _alike(items, left, rng)
    shares = (placed.sum(axis=1) + left) / placed.shape[1]
    result = np.full(items.shape[0], FREE, dtype=np.int8)
    while left.any():
        label = np.where(left > 0, left, np.inf).argmin()
        column = slice(*columns.indptr[label : label + 2])
        free = np.flatnonzero(result[columns.indices[column]] == FREE)
        free = free[np.argsort(alike[columns.indices[column][free]])]
        # The large first: what they leave uneven, the small ones can still even out.
        free = free[np.argsort(-columns.data[column][free], kind="stable")]
        chosen, weights = columns.indices[column][free], columns.data[column][free]

        dealt = _deal_label(weights, shares[label] - placed[label], room=shares[-1] - placed[-1], rng=rng)
        result[chosen] = dealt
        entries, lengths = _entries(items, chosen)
        # One number per label and fold: counting those is several times as fast as np.add.at on pairs.
        places = items.indices[entries].astype(np.int64) * placed.shape[1] + np.repeat(dealt, lengths)
        new = np.bincount(places, weights=items.data[entries], minlength=placed.size).reshape(placed.shape)
        placed += new
        left -= new.sum(axis=1)
    return result


def _alike(items: csr_array, totals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the place of every item in an order by its three rarest labels, (items,); chance orders the equal ones."""
    ranks = np.empty(len(totals), dtype=items.indices.dtype)
    ranks[np.argsort(totals, kind="stable")] = np.arange(len(totals))
    # A copy of the data: sorting moves it too.
    ranked = csr_array((items.data.copy(), ranks[items.indices], items.indptr), shape=items.shape)
    ranked.sort_indices()
    first, last = ranked.indptr[:-1], ranked.indptr[1:] - 1
    rarest = np.zeros(items.shape[0], dtype=np.int64)
    for place in range(3):
        rarest = rarest * len(totals) + ranked.indices[np.minimum(first + place, last)]
    places = np.empty(items.shape[0], dtype=np.int64)
    places[np.lexsort((rng.random(items.shape[0]), rarest))] = np.arange(items.shape[0])
    return places


def _take_turns(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return each fold as often as counted, its turns evenly spaced among those of the others."""
    folds = np.repeat(np.arange(len(counts)), counts)
    turn = np.arange(len(folds)) - np.repeat(counts.cumsum() - counts, counts)
    return folds[np.argsort((turn + rng.random(len(counts))[folds]) / counts[folds])]


def _entries(matrix: csr_array, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the entries of these rows are stored, and how many each row has."""
    lengths = matrix.indptr[rows + 1] - matrix.indptr[rows]
    before = lengths.cumsum() - lengths
    return np.arange(lengths.sum()) + np.repeat(matrix.indptr[rows] - before, lengths), lengths


def _deal_label(weights: np.ndarray, lack: np.ndarray, *, room: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a fold for each item of one label; ``weights``, the photos in each item, are descending."""
    dealt = []
    for weight, items in zip(*np.unique(-weights, return_counts=True), strict=True):
        counts = fair_counts(lack / -weight, items, room=room, rng=rng)
        dealt.append(_take_turns(counts, rng))
        lack = lack + counts * weight
    return np.concatenate(dealt)


def fair_counts(lack: np.ndarray, items: int, *, room: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how many of equal items each fold gets, if each goes to the fold that then lacks most.

    The items fill the folds up like water: all folds that get any end at one level, up to the rounding to whole items.

    Args:
        lack: Items each fold is short of, (folds,); negative where it has too many.
        items: Number of items, at least 1.
        room: Photos each fold is short of, (folds,): decides between folds that lack the same; then chance does.
        rng: Chance.

    Returns:
        Counts that sum to ``items``, int64 (folds,).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> fair_counts(np.array([2.5, 1.5, -1.0]), 3, room=np.array([0, 0, 9]), rng=rng)
        array([2, 1, 0])
    """
    descending = np.sort(lack)[::-1]
    levels = (descending.cumsum() - items) / np.arange(1, len(lack) + 1)
    level = levels[np.flatnonzero(descending > levels)[-1]]
    counts = np.floor(np.maximum(lack - level, 0)).astype(np.int64)
    # Rounded: sums of fractions that are equal on paper differ in their last digits.
    still_lacking = np.round(lack - counts, 6)
    first = np.lexsort((rng.random(len(lack)), -room, -still_lacking))
    counts[first[: items - counts.sum()]] += 1
    return counts
