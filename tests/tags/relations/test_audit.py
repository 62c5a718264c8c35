"""Every relation is judged on validation: the tags it gave or took, right or wrong, and AP with and without it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from tagger.data.batch import Batch
from tagger.data.datamodule import PhotoData
from tagger.data.taxonomy import read_taxonomy
from tagger.model.checkpoint import load_checkpoint
from tagger.model.module import TaggerModule
from tagger.tags.relations.audit import Effect, audit, audit_figures, harmful
from tagger.tags.relations.audit_callback import AuditCallback
from tagger.tags.relations.rules import Relation, Rules, RuleSettings
from tagger.tags.thresholds import Target
from tagger.tags.thresholds_callback import ThresholdsCallback
from tagger.tracking.rules_csv import write_audit

LABELS = ["dog", "toy", "animal", "beach", "snow"]
DOG, TOY = Relation("parents", "dog", "animal"), Relation("parents", "toy", "animal")
CLASH = Relation("excludes", "beach", "snow")
HALF = torch.full((5,), 0.5)


def judged(
    rules: Rules, scores: list[list[float]], states: list[list[int]], **settings: Any
) -> dict[tuple[str, str], Effect]:
    """Audit, by what states the relation and what it changes."""
    defaults: dict[str, Any] = {"thresholds": HALF, "unknown": "ignore"}
    effects = audit(rules, torch.tensor(scores), torch.tensor(states, dtype=torch.int8), **defaults | settings)
    return {(effect.label, effect.affected): effect for effect in effects}


def test_worked_example():
    # Dogs raise the animal rightly on two photos and wrongly on none; toys wrongly on two, and once nobody knows.
    scores = [
        [0.9, 0.0, 0.3, 0.0, 0.0],
        [0.8, 0.0, 0.6, 0.0, 0.0],
        [0.7, 0.0, 0.2, 0.0, 0.0],
        [0.0, 0.95, 0.1, 0.0, 0.0],
        [0.0, 0.6, 0.1, 0.0, 0.0],
        [0.0, 0.8, 0.1, 0.0, 0.0],
    ]
    states = [[0, 0, state, 0, 0] for state in (1, 1, 1, -1, -1, 0)]
    effects = judged(Rules(LABELS, [DOG, TOY]), scores, states)
    dog, toy = effects["dog", "animal"], effects["toy", "animal"]
    assert (dog.tags, dog.true, dog.false, dog.unknown) == (2, 2, 0, 0)
    assert (toy.tags, toy.true, toy.false, toy.unknown) == (3, 0, 2, 1)
    assert (dog.precision, dog.recall, dog.recall_without) == (3 / 5, 1.0, pytest.approx(1 / 3))
    assert (toy.precision, toy.precision_without) == (3 / 5, 1.0)
    # The five photos with and without the animal, ranked with and without toys.
    assert toy.ap == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 3)
    assert toy.ap_without == 1
    assert not dog.is_harmful
    assert toy.is_harmful
    assert harmful(list(effects.values())) == [TOY]


def test_an_exclusion_is_right_where_it_takes_what_is_absent():
    scores = [[0, 0, 0, 0.9, 0.6], [0, 0, 0, 0.9, 0.7], [0, 0, 0, 0.6, 0.8]]
    states = [[0, 0, 0, 1, -1], [0, 0, 0, 1, -1], [0, 0, 0, 1, 1]]
    effects = judged(Rules(LABELS, [CLASH]), scores, states)
    snow, beach = effects["beach", "snow"], effects["beach", "beach"]
    assert (snow.tags, snow.true, snow.false) == (2, 2, 0)
    assert (beach.tags, beach.true, beach.false) == (1, 0, 1)
    assert not snow.is_harmful
    assert beach.is_harmful
    assert harmful([snow, beach]) == [CLASH]


def test_a_label_that_loses_average_precision_is_harmed_though_no_tag_changes():
    scores = [[0.0, 0.0, 0.3, 0, 0], [0.4, 0, 0.1, 0, 0]]
    effect = judged(Rules(LABELS, [DOG]), scores, [[0, 0, 1, 0, 0], [0, 0, -1, 0, 0]])["dog", "animal"]
    assert (effect.tags, effect.ap_without, effect.ap, effect.is_harmful) == (0, 1.0, 0.5, True)


def test_what_has_no_answer_is_none_and_harms_nobody():
    effect = judged(Rules(LABELS, [DOG]), [[0.9, 0, 0, 0, 0]], [[0, 0, 0, 0, 0]])["dog", "animal"]
    assert (effect.tags, effect.unknown) == (1, 1)
    assert (effect.ap, effect.ap_without, effect.recall, effect.precision_without) == (None, None, None, None)
    assert not effect.is_harmful


def test_what_unknown_counts_for_may_differ_between_kinds_of_photos():
    scores, states = [[0.9, 0, 0.1, 0, 0], [0.0, 0, 0.4, 0, 0]], [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    for kind, ap in ((0, 0.5), (1, None)):
        kinds = torch.tensor([kind, 0])
        effect = judged(Rules(LABELS, [DOG]), scores, states, unknown=(1.0, 0.0), kinds=kinds)["dog", "animal"]
        assert effect.ap == ap


def test_without_relations_there_is_nothing_to_judge():
    assert judged(Rules(LABELS), [[0.5] * 5], [[1] * 5]) == {}
    assert audit_figures([]) == {}


@pytest.mark.parametrize("pooling", ["max", "noisy_or"])
def test_every_effect_is_the_difference_that_leaving_the_relation_out_makes(pooling: Any):
    rng = np.random.default_rng(0)
    rules = RuleSettings(pooling=pooling).of(read_taxonomy("sample"))
    scores = torch.tensor(rng.random((120, len(rules.labels))) ** 3, dtype=torch.float32)
    states = torch.tensor(rng.choice([-1, 0, 1], scores.shape), dtype=torch.int8)
    effects = audit(rules, scores, states, thresholds=torch.full((len(rules.labels),), 0.5), unknown="negative")
    assert len({effect.relation for effect in effects}) == len(rules.relations) > 50
    for effect in effects[:: len(effects) // 12]:
        column = rules.column[effect.affected]
        now, before = rules(scores)[:, column], rules.without([effect.relation])(scores)[:, column]
        assert effect.tags == ((now >= 0.5) != (before >= 0.5)).sum()
        assert effect.true + effect.false + effect.unknown == effect.tags
        present = (states[:, column] == 1).numpy()
        assert effect.ap == pytest.approx(average_precision_score(present, now), abs=0.01)
        assert effect.ap_without == pytest.approx(average_precision_score(present, before), abs=0.01)


# --- in a run ---------------------------------------------------------------------------------------------------------


def validate(module: TaggerModule, trainer: pl.Trainer, scores: Tensor, states: list[list[int]]) -> None:
    """Validate photos to which the network gives these scores."""
    module.logits = lambda batch: batch.inputs.logit()  # type: ignore[method-assign]
    batch = Batch(scores, torch.tensor(states, dtype=torch.int8), torch.arange(len(scores)))
    trainer.validate(module, torch.utils.data.DataLoader([batch], batch_size=None), verbose=False)


@pytest.mark.parametrize("keep", ["all", "helpful"])
def test_harmful_relations_are_switched_off_only_if_that_is_asked_for(
    keep: Any, tagger_module: Callable[..., TaggerModule], trainer: Callable[..., pl.Trainer]
):
    harm = Relation("parents", "1", "0")
    rules = Rules(["0", "1", "2"], [harm, Relation("parents", "2", "0")])
    scores = torch.tensor([[0.6, 0.1, 0.9], [0.5, 0.1, 0.1], [0.2, 0.9, 0.1], [0.1, 0.1, 0.1]])
    states = [[1, -1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, -1]]
    module = tagger_module(labels=3, rules=rules)
    auditing, thresholds = AuditCallback(keep), ThresholdsCallback(Target())
    run = trainer(callbacks=[thresholds, auditing])
    validate(module, run, scores, states)
    assert auditing.switch_off(module) == (keep == "helpful")
    validate(module, run, scores, states)
    assert auditing.effects is not None
    assert [effect.is_harmful for effect in auditing.effects] == [True, False]
    assert [effect.is_used for effect in auditing.effects] == [keep == "all", True]
    assert module.rules.dropped == ((harm,) if keep == "helpful" else ())
    assert thresholds.contract.tally.precision[0] == (1.0 if keep == "helpful" else pytest.approx(2 / 3))


def test_scores_thresholds_and_checkpoints_are_those_of_the_whole_chain(
    tmp_path: Path,
    tagger_module: Callable[..., TaggerModule],
    trainer: Callable[..., pl.Trainer],
    colours: Callable[..., Path],
    photo_data: Callable[..., PhotoData],
):
    rules = Rules([str(label) for label in range(4)], [Relation("implies", "0", "1"), Relation("excludes", "2", "3")])
    module = tagger_module(rules=rules)
    run = trainer(callbacks=[ThresholdsCallback(Target())])
    run.fit(module, photo_data(colours(40)))
    run.save_checkpoint(tmp_path / "some.ckpt")
    photos = torch.rand(5, 3, 16, 16)
    network, _, recipe = load_checkpoint(tmp_path / "some.ckpt")
    module.eval()
    completed = Rules.from_recipe(recipe)(network(photos).sigmoid())
    assert (completed == module(photos)).all()
    assert (completed[:, 1] >= completed[:, 0]).all()
    assert (torch.minimum(completed[:, 2], completed[:, 3]) == 0).all()
    states = torch.ones(5, 4, dtype=torch.int8)
    tested = module.test_step(Batch(photos, states, torch.arange(5)), 0)
    torch.testing.assert_close(tested.scores, completed)
    assert (module.test.compute().counts.sum() == 20).item()
    raw = module.validation_step(Batch(photos, states, torch.arange(5)), 0)
    torch.testing.assert_close(raw.fused, network(photos).sigmoid())


def test_rules_csv_has_a_row_for_every_effect(tmp_path: Path):
    effects = list(judged(Rules(LABELS, [DOG, CLASH]), [[0.9, 0, 0, 0, 0]], [[1, 0, 1, 0, 0]]).values())
    write_audit(tmp_path / "rules.csv", effects)
    header, first, *rest = (tmp_path / "rules.csv").read_text().splitlines()
    assert header.split(",")[:5] == ["kind", "label", "other", "affected", "tags"]
    assert first.split(",")[:8] == ["parents", "dog", "animal", "animal", "1", "1", "0", "0"]
    assert len(rest) == 2


def test_the_figures_add_the_effects_up():
    effects = list(judged(Rules(LABELS, [DOG, CLASH]), [[0.9, 0, 0, 0.9, 0.8]], [[1, 0, -1, 1, -1]]).values())
    figures = audit_figures(effects)
    assert figures["rules/relations"] == 2
    assert (figures["rules/given_tags"], figures["rules/given_false"]) == (1, 1)
    assert (figures["rules/taken_tags"], figures["rules/taken_true"]) == (1, 1)
    assert (figures["rules/harmful"], figures["rules/used"]) == (1, 2)
