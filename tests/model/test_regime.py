from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from tagger.model.regime import Regime

CONF = Path(__file__).parents[2] / "conf" / "regime"


@pytest.mark.parametrize(
    ("name", "trains_backbone", "cached"),
    [("everything", True, False), ("head", False, False), ("cached", False, True)],
)
def test_the_three_regimes(name: str, trains_backbone: bool, cached: bool):
    regime = instantiate(OmegaConf.load(CONF / f"{name}.yaml"))
    assert (regime.train_backbone, regime.cached) == (trains_backbone, cached)


def test_there_are_no_others():
    assert {path.stem for path in CONF.glob("*.yaml")} == {"everything", "head", "cached"}


def test_fewer_than_no_views_are_refused():
    with pytest.raises(ValueError, match=r"regime\.views must be 0 \(no cache\) or more, got -1"):
        Regime(train_backbone=False, views=-1)


def test_features_of_a_backbone_that_learns_cannot_be_cached():
    with pytest.raises(ValueError, match="only be cached while the backbone is frozen: use regime=cached"):
        Regime(train_backbone=True, views=1)
