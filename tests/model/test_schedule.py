import math
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts

from tagger.model.schedule import Constant, WarmupCosine, warmup_cosine

CONF = Path(__file__).parents[2] / "conf" / "schedule"


def learning_rates(schedule, steps: int, lr: float = 0.5) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = schedule(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_worked_example():
    rates = learning_rates(lambda optimizer: WarmupCosine(warmup=2)(optimizer, 6), steps=7, lr=2.0)
    assert rates == pytest.approx([0, 1, 2, 1 + math.sqrt(0.5), 1, 1 - math.sqrt(0.5), 0])


def test_without_warmup_it_is_pytorchs_cosine():
    ours = learning_rates(lambda optimizer: WarmupCosine(warmup=0)(optimizer, 20), steps=20)
    assert ours == pytest.approx(learning_rates(lambda optimizer: CosineAnnealingLR(optimizer, T_max=20), steps=20))


def test_with_restarts_it_is_pytorchs_warm_restarts():
    ours = learning_rates(lambda optimizer: WarmupCosine(warmup=0, restarts=3)(optimizer, 20), steps=20)
    theirs = learning_rates(lambda optimizer: CosineAnnealingWarmRestarts(optimizer, T_0=5), steps=20)
    assert ours == pytest.approx(theirs)


@given(total=st.integers(1, 500), share=st.floats(0, 0.99), restarts=st.integers(0, 4), step=st.integers(0, 600))
def test_the_multiplier_is_between_0_and_1_and_0_at_the_end(total, share, restarts, step):
    settings = {"warmup_steps": int(share * total), "total_steps": total, "restarts": restarts}
    assert 0 <= warmup_cosine(step, **settings) <= 1
    assert warmup_cosine(total, **settings) == 0
    assert warmup_cosine(settings["warmup_steps"], **settings) == 1


@given(periods=st.integers(1, 7), length=st.integers(1, 50), warmup=st.integers(0, 20))
def test_every_period_starts_at_the_base_rate(periods, length, warmup):
    for period in range(periods):
        step = warmup + period * length
        total = warmup + periods * length
        assert warmup_cosine(step, warmup_steps=warmup, total_steps=total, restarts=periods - 1) == 1


def test_a_float_is_a_share_and_an_int_is_a_number_of_steps():
    share = learning_rates(lambda optimizer: WarmupCosine(warmup=0.25)(optimizer, 20), steps=20)
    steps = learning_rates(lambda optimizer: WarmupCosine(warmup=5)(optimizer, 20), steps=20)
    assert share == steps


def test_a_single_step_needs_no_warmup():
    assert learning_rates(lambda optimizer: WarmupCosine(warmup=0.9)(optimizer, 1), steps=1) == [0.5]


def test_constant_stays():
    assert learning_rates(lambda optimizer: Constant()(optimizer, 3), steps=5) == [0.5] * 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"warmup": 1.0}, r"warmup must be a share in \[0, 1\) or a number of steps, got 1.0"),
        ({"warmup": -1}, "number of steps, got -1"),
        ({"restarts": -1}, "restarts must be at least 0, got -1"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        WarmupCosine(**settings)


def test_a_warmup_as_long_as_the_training_is_refused():
    with pytest.raises(ValueError, match="100 warm-up steps and 0 restarts do not fit into 100 steps: train longer"):
        learning_rates(lambda optimizer: WarmupCosine(warmup=100)(optimizer, 100), steps=1)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configured_schedule_resumes_from_a_plain_state(path, tmp_path):
    schedule = instantiate(OmegaConf.load(path))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = schedule(optimizer, 40)
    for _ in range(25):
        optimizer.step()
        scheduler.step()
    torch.save(scheduler.state_dict(), tmp_path / "state")
    resumed = schedule(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5), 40)
    resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert resumed.get_last_lr() == scheduler.get_last_lr()
    assert resumed.last_epoch == 25
