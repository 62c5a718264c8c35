import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.tags.histogram import MAX_BINS, Histogram, ScoreHistogram, bin_of, score_edges

ABSENT, UNKNOWN, PRESENT = 0, 1, 2


def album(photos: int, labels: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scores that crowd near zero and states of all three kinds, both (photos, labels)."""
    generator = torch.Generator().manual_seed(seed)
    scores = (3 * torch.randn(photos, labels, generator=generator) - 3).sigmoid()
    states = torch.randint(-1, 2, (photos, labels), generator=generator, dtype=torch.int8)
    return scores, states


def test_each_photo_is_counted_once_under_its_label_and_state():
    scores = torch.tensor([[0.0, 1.0], [0.5, 0.4], [0.7, 0.5]])
    states = torch.tensor([[1, -1], [0, 1], [1, -1]], dtype=torch.int8)

    counts = Histogram.of(scores, states, bins=4).counts

    assert counts[PRESENT].tolist() == [[1, 0, 1, 0], [0, 1, 0, 0]]
    assert counts[UNKNOWN].tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]
    assert counts[ABSENT].tolist() == [[0, 0, 0, 0], [0, 0, 1, 1]]


@pytest.mark.parametrize("bins", [3, 4, 100, 1025, MAX_BINS])
def test_edges_increase_from_zero_and_stay_below_one(bins):
    edges = score_edges(bins)
    assert edges.dtype == torch.float32
    assert len(edges) == bins
    assert edges[0] == 0
    assert edges[-1] < 1
    assert (edges.diff() > 0).all()


def test_edges_are_equally_spaced_in_logit_space():
    steps = score_edges(200)[1:].double().logit().diff()
    assert torch.allclose(steps, steps.mean(), rtol=0.05)


@pytest.mark.parametrize("bins", [3, 4, 100, 1025, MAX_BINS])
def test_a_score_on_an_edge_or_one_float_beside_it_falls_where_the_comparison_says(bins):
    edges = score_edges(bins)
    beside = [torch.nextafter(edges, torch.full_like(edges, end)) for end in (0.0, 1.0)]
    special = torch.tensor([0.0, 1.0, 1e-45, 1e-38, 1 - 2**-24, 0.5])
    scores = torch.cat([edges, *beside, special])
    assert torch.equal(bin_of(scores, edges), torch.bucketize(scores, edges, right=True, out_int32=True) - 1)


def test_a_million_scores_fall_where_the_comparison_says():
    generator = torch.Generator().manual_seed(0)
    edges = score_edges(MAX_BINS)
    scores = torch.cat(
        [(6 * torch.randn(700_000, generator=generator)).sigmoid(), torch.rand(300_000, generator=generator)]
    )
    assert torch.equal(bin_of(scores, edges), torch.bucketize(scores, edges, right=True, out_int32=True) - 1)


@given(score=st.floats(0, 1, width=32), bins=st.sampled_from([3, 10, 333, MAX_BINS]))
def test_a_score_lies_between_its_edge_and_the_next(score, bins):
    edges = score_edges(bins)
    place = int(bin_of(torch.tensor([score]), edges))
    assert edges[place] <= score
    assert place == bins - 1 or score < edges[place + 1]


@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(1, 9), min_size=1, max_size=5))
@settings(max_examples=25)
def test_batches_of_any_size_add_up_to_the_whole(seed, cuts):
    scores, states = album(sum(cuts), 7, seed=seed)
    metric = ScoreHistogram(labels=7, bins=64)
    for some_scores, some_states in zip(scores.split(cuts), states.split(cuts), strict=True):
        metric.update(some_scores, some_states)
    assert torch.equal(metric.compute().counts, Histogram.of(scores, states, bins=64).counts)


def test_an_input_of_many_chunks_counts_every_photo(monkeypatch):
    scores, states = album(1000, 5)
    whole = Histogram.of(scores, states)
    monkeypatch.setattr("tagger.tags.histogram.CHUNK", 33)
    assert torch.equal(Histogram.of(scores, states).counts, whole.counts)
    assert int(whole.counts.sum()) == scores.numel()


def test_memory_does_not_depend_on_the_number_of_photos():
    metric = ScoreHistogram(labels=5)
    before = [(name, value.shape) for name, value in metric.metric_state.items()]
    for seed in range(10):
        metric.update(*album(100, 5, seed=seed))
    assert [(name, value.shape) for name, value in metric.metric_state.items()] == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_scores_of_other_float_types_count_as_their_float32_values(dtype):
    scores, states = album(200, 3)
    other = scores.to(dtype)
    assert torch.equal(Histogram.of(other, states).counts, Histogram.of(other.float(), states).counts)


@pytest.mark.parametrize("layout", ["transposed", "strided"])
def test_scores_need_not_be_contiguous(layout):
    scores, states = album(60, 4)
    loose = scores.t().contiguous().t() if layout == "transposed" else scores.repeat_interleave(2, dim=1)[:, ::2]
    assert not loose.is_contiguous()
    assert torch.equal(Histogram.of(loose, states).counts, Histogram.of(scores, states).counts)


def test_half_precision_of_the_module_around_it_leaves_the_edges_exact():
    module = torch.nn.Module()
    module.histogram = ScoreHistogram(labels=2)
    scores, states = album(50, 2)
    module.half()
    module.histogram.update(scores, states)
    found = module.histogram.compute()
    assert torch.equal(found.edges, score_edges(MAX_BINS))
    assert torch.equal(found.counts, Histogram.of(scores, states).counts)


def test_a_histogram_that_was_read_does_not_change_with_the_next_batch():
    metric = ScoreHistogram(labels=2)
    metric.update(*album(3, 2))
    read = metric.compute()
    metric.update(*album(4, 2))
    assert int(read.counts.sum()) == 6
    assert int(metric.compute().counts.sum()) == 14


def test_reset_begins_anew_and_a_copy_keeps_what_was_counted():
    metric = ScoreHistogram(labels=2)
    metric.update(*album(3, 2))
    copy = pickle.loads(pickle.dumps(metric))
    metric.reset()
    assert int(metric.counts.sum()) == 0
    assert int(copy.compute().counts.sum()) == 6


def test_counts_of_two_processes_are_summed():
    # What torchmetrics does with the states that it gathers.
    metric = ScoreHistogram(labels=2)
    metric.update(*album(3, 2))
    reduce = metric._reductions["counts"]
    assert int(reduce(torch.stack([metric.counts, metric.counts])).sum()) == 12


def test_an_empty_batch_counts_nothing():
    metric = ScoreHistogram(labels=2)
    metric.update(torch.zeros(0, 2), torch.zeros(0, 2, dtype=torch.int8))
    assert int(metric.counts.sum()) == 0


@pytest.mark.parametrize("bad", [float("nan"), -0.01, 1.01, float("inf")])
def test_a_score_that_is_no_score_is_refused_and_located(bad):
    scores, states = album(4, 3)
    scores[2, 1] = bad
    metric = ScoreHistogram(labels=3)
    with pytest.raises(ValueError, match=r"scores must lie in \[0, 1\], got .* for photo 2 of the batch, label 1"):
        metric.update(scores, states)
    assert int(metric.counts.sum()) == 0


def test_a_state_that_is_none_of_the_three_is_refused():
    scores, states = album(4, 3)
    states[0, 0] = 2
    with pytest.raises(ValueError, match=r"states must be -1, 0 or 1, got -1\.\.2"):
        ScoreHistogram(labels=3).update(scores, states)


def test_shapes_that_differ_are_refused():
    scores, states = album(4, 3)
    with pytest.raises(ValueError, match=r"shape \(photos, 3\), got scores \(4, 3\) and states \(3, 3\)"):
        ScoreHistogram(labels=3).update(scores, states[:3])
    with pytest.raises(ValueError, match=r"shape \(photos, 2\)"):
        ScoreHistogram(labels=2).update(scores, states)


@pytest.mark.parametrize("bins", [0, 2, 2049])
def test_bins_out_of_range_are_refused(bins):
    with pytest.raises(ValueError, match=rf"bins must lie in 3\.\.2048, got {bins}"):
        ScoreHistogram(labels=2, bins=bins)
