"""Searches in this process, in an empty folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from omegaconf import DictConfig

from tagger.studies.search import searching
from tagger.studies.search.findings import Tried
from tagger.studies.search.judging import Judged, Watch
from tagger.studies.search.record import Record
from tagger.studies.search.searching import Search
from tagger.studies.search.space import read_space
from tagger.studies.search.stopping import Stopping
from tagger.studies.search.trainings import Trainings
from tagger.tracking.quiet import quieten

CONF = Path(__file__).parents[3] / "conf"

RATE = "optimizer.lr: {low: 1e-4, high: 1e-2, log: true}\nloss: {choices: [bce, focal]}\n"
RATE += "loss.gamma: {low: 0.5, high: 3.0, when: {loss: focal}}\n"


@pytest.fixture
def composing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let Hydra compose from conf/, in an empty folder."""
    quieten()
    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.fixture
def trainings(composing: None, tmp_path: Path) -> Callable[..., Trainings]:
    """Make the trainings of words and a space given as text."""

    def make(*words: str, space: str = RATE) -> Trainings:
        (tmp_path / "mine.yaml").write_text(space)
        return Trainings(words, read_space(str(tmp_path / "mine.yaml")).fixed_by(words), "found")

    return make


@pytest.fixture
def search(
    trainings: Callable[..., Trainings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Search]:
    """Make a search whose trainings are a function of their configuration; ``told`` collects its trials."""

    def make(
        *words: str, figure: Callable[[DictConfig], float] = lambda config: config.optimizer.lr, space: str = RATE
    ) -> Search:
        def judge(config: DictConfig, data: object, watch: Watch, **_: object) -> Judged:
            return Judged(figure(config), epoch=1, seconds=1.0)

        monkeypatch.setattr(searching, "judge", judge)
        monkeypatch.setattr(searching, "read_data", lambda config: None)
        told: list[Tried] = []
        record = Record(tmp_path / "trials.db", "found", seed=0, startup=4)
        made = Search(trainings(*words, space=space), record, 0, True, Stopping(), told.append)
        made.all_told = told  # type: ignore[attr-defined]
        return made

    return make
