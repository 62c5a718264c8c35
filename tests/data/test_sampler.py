import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from tagger.data.sampler import EvalSampler, ReplicationSampler, shard

FACTORS = st.lists(st.floats(1, 50), min_size=1, max_size=60).map(np.array)


class Echo(torch.utils.data.Dataset):
    def __init__(self, photos: int) -> None:
        self.photos = photos

    def __len__(self) -> int:
        return self.photos

    def __getitem__(self, draw: tuple[int, int]) -> tuple[int, int]:
        return draw


def photos(batches) -> list[int]:
    return [photo for batch in batches for photo, _ in batch]


def test_a_photo_with_three_times_the_factor_is_drawn_three_times_as_often():
    sampler = ReplicationSampler(np.array([1.0, 3.0, 2.0]), batch_size=3, seed=0, length="replicated")
    assert Counter(photos(sampler)) == {0: 1, 1: 3, 2: 2}


def test_with_equal_factors_every_photo_is_drawn_once_in_a_new_order_each_epoch():
    sampler = ReplicationSampler(np.ones(100), batch_size=10, seed=0)
    first = photos(sampler)
    sampler.set_epoch(1)
    second = photos(sampler)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second


@settings(deadline=None)
@given(
    factors=FACTORS,
    batch_size=st.integers(1, 20),
    seed=st.integers(0, 99),
    length=st.sampled_from(["photos", "replicated"]),
)
def test_an_epoch_is_as_long_as_announced_and_every_photo_is_drawn_e_times_up_to_rounding(
    factors, batch_size, seed, length
):
    sampler = ReplicationSampler(factors, batch_size=batch_size, seed=seed, length=length)
    batches = list(sampler)
    assert len(batches) == len(sampler) >= 1
    assert {len(batch) for batch in batches} == {min(batch_size, len(factors))}
    draws = Counter(photos(batches))
    total = draws.total()
    wanted = len(factors) if length == "photos" else factors.sum()
    assert total == max(1, int(wanted) // min(batch_size, len(factors))) * min(batch_size, len(factors))
    expected = total * factors / factors.sum()
    for photo, e in enumerate(expected):
        assert math.floor(e - 1e-9) <= draws[photo] <= math.ceil(e + 1e-9)


def test_over_many_epochs_photos_are_drawn_in_proportion_to_their_factors():
    factors = np.linspace(1, 4, 50)
    sampler = ReplicationSampler(factors, batch_size=10, seed=3)
    counts = np.zeros(50)
    for epoch in range(400):
        np.add.at(counts, sampler.draws(epoch).numpy(), 1)
    # An epoch draws floor(e) or ceil(e): a standard deviation of 1/2 at most.
    assert np.abs(counts - 400 * 50 * factors / factors.sum()).max() < 4.5 * math.sqrt(400) / 2


@settings(deadline=None)
@given(factors=FACTORS, world_size=st.integers(1, 5), per_rank=st.integers(1, 6), epoch=st.integers(0, 3))
def test_all_processes_together_train_the_batches_of_one(factors, world_size, per_rank, epoch):
    assume(len(factors) >= world_size)
    kwargs = {"batch_size": world_size * per_rank, "seed": 7, "world_size": world_size}
    ranks = [ReplicationSampler(factors, rank=rank, **kwargs) for rank in range(world_size)]
    one = ReplicationSampler(factors, batch_size=ranks[0].batch_size, seed=7)
    for sampler in (one, *ranks):
        sampler.set_epoch(epoch)
    for whole, *parts in zip(one, *ranks, strict=True):
        assert {len(part) for part in parts} == {len(whole) // world_size}
        assert sorted(whole) == sorted(draw for part in parts for draw in part)


def test_draws_are_numbered_through_the_whole_training():
    sampler = ReplicationSampler(np.ones(7), batch_size=2, seed=0)
    numbers = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        numbers += [number for batch in sampler for _, number in batch]
    assert numbers == list(range(3 * 6))


def test_seed_and_epoch_alone_decide_and_the_global_state_is_left_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = list(ReplicationSampler(np.ones(20), batch_size=4, seed=5))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert list(ReplicationSampler(np.ones(20), batch_size=4, seed=5)) == first
    assert list(ReplicationSampler(np.ones(20), batch_size=4, seed=6)) != first


@settings(deadline=None)
@given(served=st.integers(0, 10), epoch=st.integers(0, 2))
def test_a_resumed_epoch_goes_on_where_it_stopped_and_the_next_one_is_whole(served, epoch):
    def sampler() -> ReplicationSampler:
        return ReplicationSampler(np.linspace(1, 3, 40), batch_size=4, seed=1)

    before, resumed = sampler(), sampler()
    before.set_epoch(epoch)
    iterator = iter(before)
    seen = [next(iterator) for _ in range(served)]
    resumed.begin_at(epoch, served)
    rest = list(resumed) if served < len(before) else []
    assert seen + rest == list(before)
    resumed.set_epoch(epoch + 1)
    before.set_epoch(epoch + 1)
    assert list(resumed) == list(before)


def test_lightning_announcing_the_epoch_does_not_forget_where_to_resume():
    sampler = ReplicationSampler(np.ones(8), batch_size=4, seed=1)
    sampler.begin_at(3, 1)
    announced = DataLoader(Echo(8), batch_sampler=sampler).batch_sampler.sampler
    announced.set_epoch(3)
    assert len(list(sampler)) == 1
    announced.set_epoch(4)
    assert len(list(sampler)) == 2


def test_with_fewer_photos_than_the_batch_the_batch_is_all_of_them():
    assert sorted(photos(ReplicationSampler(np.ones(3), batch_size=32, seed=0))) == [0, 1, 2]
    parts = [list(ReplicationSampler(np.ones(5), batch_size=32, seed=0, rank=r, world_size=2)) for r in range(2)]
    assert [[len(batch) for batch in part] for part in parts] == [[2], [2]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 9, "world_size": 2}, "batch_size 9 cannot be divided among 2 processes"),
        ({"batch_size": 8, "world_size": 8}, "5 photos cannot be divided among 8 processes"),
        ({"batch_size": 8, "rank": 2, "world_size": 2}, r"rank must lie in 0\.\.1, got 2"),
    ],
)
def test_what_cannot_be_divided_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReplicationSampler(np.ones(5), seed=0, **arguments)


@pytest.mark.parametrize(
    "sampler", [ReplicationSampler(np.ones(10), batch_size=4, seed=0), EvalSampler(10, batch_size=4)]
)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_serves_the_samplers_batches_in_their_order(sampler, workers):
    loader = DataLoader(Echo(10), batch_sampler=sampler, num_workers=workers)
    served = [list(zip(rows.tolist(), draws.tolist(), strict=True)) for rows, draws in loader]
    assert len(loader) == len(sampler)
    assert served == list(sampler)


@settings(deadline=None)
@given(count=st.integers(0, 60), world_size=st.integers(1, 5), per_rank=st.integers(2, 8))
def test_evaluation_sees_every_photo_once_in_equally_many_batches(count, world_size, per_rank):
    ranks = [
        EvalSampler(count, batch_size=world_size * per_rank, rank=r, world_size=world_size) for r in range(world_size)
    ]
    assert sorted(photo for rank in ranks for photo in photos(rank)) == list(range(count))
    assert all(1 <= len(batch) <= per_rank for rank in ranks for batch in rank)
    if count >= world_size:
        assert len({len(rank) for rank in ranks}) == 1
        assert len(ranks[0]) == math.ceil(math.ceil(count / world_size) / per_rank)


def test_shards_are_interleaved():
    assert [shard(7, rank=rank, world_size=3).tolist() for rank in range(3)] == [[0, 3, 6], [1, 4], [2, 5]]
