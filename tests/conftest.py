"""What several tests need: a small listed data set, a small network to train on it, the real photos where they are."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import commands
import numpy as np
import onnx
import pytest
import pytorch_lightning as pl
import torch
from filelock import FileLock
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper
from tiny import COLOURS, TINY, data_of, write_colours

from tagger.data.datamodule import Augment, PhotoData
from tagger.data.normalisation import Normalisation
from tagger.data.replication import Replication
from tagger.data.sources.listing import Listing
from tagger.model.losses import BinaryCrossEntropy
from tagger.model.module import TaggerModule
from tagger.model.network import Network
from tagger.model.optimizers import sgd
from tagger.model.regime import Regime
from tagger.model.schedule import Constant
from tagger.tags.delivery.bundle import write_bundle
from tagger.tags.delivery.graph import build_graph
from tagger.tags.delivery.model_card import model_card
from tagger.tags.delivery.trained import describe, read_run, read_trained
from tagger.tracking.quiet import quieten

# A shell has what it starts in the background ignore Ctrl-C, and so would every command that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no mistake of the code.
settings.register_profile("tagger", deadline=None)
settings.load_profile("tagger")

CHROMIUM = Path("/usr/bin/chromium")


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of this session have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep runs, caches and MLflow of tests out of the user's."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TAGGER_CACHE", str(shared_folder(tmp_path_factory) / "cache"))
        environment.delenv("TAGGER_RUN_FOLDER", raising=False)
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture
def real_photos() -> Path:
    """The folder of real photos."""
    root = os.environ.get("TAGGER_DATA")
    if not root:
        pytest.skip("TAGGER_DATA is not set: no real photos here")
    return Path(root).absolute()


@pytest.fixture
def browser() -> Iterator[Any]:
    """The Chromium of this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def colours(tmp_path: Path) -> Callable[..., Path]:
    """Make a data set ``colours`` of plain photos whose label is their colour; returns the root folder."""

    def make(photos: int = 40, **files: str) -> Path:
        root = write_colours(tmp_path / "root", photos)
        for name, text in files.items():
            (root / "colours" / name.replace("__", ".")).write_text(text)
        return root

    return make


@pytest.fixture
def photo_data(tmp_path: Path) -> Callable[..., PhotoData]:
    """Make the data module of a root folder that `colours` made, decoding in the calling process."""

    def make(root: Path, **settings: Any) -> PhotoData:
        defaults = {
            "source": Listing(folder="colours", unlisted="absent"),
            "taxonomy": str(root / "colours.yaml"),
            "root": str(root),
            "split": "folds",
            "unknown": "negative",
            "batch_size": 8,
            "size": 16,
            "fit": "squash",
            "augment": Augment(),
            "bad_photos": "skip",
            "max_pixels": 10_000,
            "workers": 0,
            "cache": tmp_path / "cache",
            "seed": 0,
            "sampler": Replication(),
        }
        data = PhotoData(**defaults | settings)
        data.prepare(Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear"))
        return data

    return make


@pytest.fixture
def tagger_module() -> Callable[..., TaggerModule]:
    """Make a module with a network of 0.1 million parameters, at random."""

    def make(*, labels: int = 4, **settings: Any) -> TaggerModule:
        pl.seed_everything(0, verbose=False)
        half = [0.5, 0.5, 0.5]
        network: dict[str, Any] = {"backbone": "test_efficientnet", "mean": half, "std": half, "dropout": 0.1}
        defaults = {
            "network": Network(labels=labels, weights=None, **network),
            "regime": Regime(train_backbone=True),
            "loss": BinaryCrossEntropy(),
            "optimizer": lambda module: sgd(module, lr=0.1, weight_decay=0.0),
            "schedule": Constant(),
            "unknown": 1.0,
            "seed": 0,
            "recipe": {"network": network, "labels": [{"id": str(label)} for label in range(labels)]},
        }
        return TaggerModule(**defaults | settings)

    return make


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function that fills a folder of a name, once for all workers; whoever changes it takes a copy."""
    shared = shared_folder(tmp_path_factory)

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, filled = shared / name, shared / f"{name} is filled"
        with FileLock(shared / f"{name}.lock"):
            if not filled.exists():
                # A test that was stopped may have left some of it.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                filled.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def delivered(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder of a run whose network is random, with ``checkpoints/best.ckpt`` and, made of it, ``album.tagger``."""
    return once("delivered", deliver)


def deliver(folder: Path) -> None:
    half = [0.5, 0.5, 0.5]
    recipe = {
        "network": {"backbone": "test_efficientnet", "mean": half, "std": [0.25, 0.5, 0.5]},
        "labels": [
            {"id": name, "names": {"en": name.title(), "zh": zh}} for name, zh in zip(COLOURS, "红绿蓝灰", strict=True)
        ],
        "rules": {"pooling": "max", "relations": [["implies", "blue", "red"]], "dropped": []},
        "size": 64,
        "fit": "pad",
        "fingerprints": {"catalog": "c0ffee", "taxonomy": "7ea"},
    }
    pl.seed_everything(0, verbose=False)
    network = Network(labels=4, weights=None, **recipe["network"])  # type: ignore[arg-type]
    # Wide scores: a fresh head says 0.01 of everything, and the features of random weights are about 1e-7.
    torch.nn.init.normal_(network.head.weight, std=1.5e6)
    torch.nn.init.zeros_(network.head.bias)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    state["thresholds"] = torch.tensor([0.4, 0.6, 0.5, 2.0])
    (folder / "checkpoints").mkdir()
    torch.save({"recipe": recipe, "state_dict": state}, folder / "checkpoints" / "best.ckpt")
    trained = read_trained(folder / "checkpoints" / "best.ckpt")
    model = build_graph(trained.chain, size=64)
    manifest = describe(trained, read_run(trained.path))
    write_bundle(folder / "album.tagger", manifest, model=model, card=model_card(manifest, name="album", metrics={}))


@pytest.fixture(scope="session")
def tiny_runs(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder that `tagger.train` was typed in: a run in ``runs/tiny``, its photos in ``root``, ``output.txt``."""

    def fill(folder: Path) -> None:
        words = [sys.executable, "-m", "tagger.train", *TINY, *data_of(write_colours(folder / "root", 80))]
        done = commands.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        (folder / "output.txt").write_text(done.stdout)

    return once("tiny runs", fill)


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., pl.Trainer]:
    """Make a trainer that works in silence and keeps nothing."""

    def make(**settings: Any) -> pl.Trainer:
        quieten()
        defaults = {
            "accelerator": "cpu",
            "max_epochs": 1,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "use_distributed_sampler": False,
            "default_root_dir": str(tmp_path),
        }
        return pl.Trainer(**defaults | settings)

    return make


@pytest.fixture
def colour_detector() -> Callable[..., bytes]:
    """Write a detector as ONNX: three objects as large as a pixel, whose scores are the means of the three channels."""

    def make(
        numbers: tuple[int, ...] = (1, 2, 3),
        *,
        factor: float = 1.0,
        image: tuple[Any, ...] = (3, "height", "width"),
        outputs: tuple[str, ...] = ("boxes", "labels", "scores"),
        number_type: int = TensorProto.INT64,
    ) -> bytes:
        names = dict(zip(("boxes", "labels", "scores"), outputs, strict=False))
        kinds = {
            "boxes": (TensorProto.FLOAT, ["N", 4]),
            "labels": (number_type, ["N"]),
            "scores": (TensorProto.FLOAT, ["N"]),
        }
        number_array = np.array(numbers, helper.tensor_dtype_to_np_dtype(number_type))
        nodes = [
            helper.make_node("ReduceMean", ["image", "sides"], ["means"], keepdims=0),
            helper.make_node("Mul", ["means", "factor"], [names.get("scores", "unsaid")]),
            helper.make_node("Identity", ["corners"], [names.get("boxes", "unsaid boxes")]),
            helper.make_node("Identity", ["numbers"], [names.get("labels", "unsaid labels")]),
        ]
        constants = {
            "sides": np.array([1, 2]),
            "factor": np.array(factor, np.float32),
            "corners": np.tile(np.array([0, 0, 1, 1], np.float32), (len(numbers), 1)),
            "numbers": number_array,
        }
        graph = helper.make_graph(
            nodes,
            "colours",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
            [helper.make_tensor_value_info(name, *kinds[role]) for role, name in names.items()],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with 20 MB, which may be filled and mounted read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def in_child(tmp_path: Path) -> Callable[..., int]:
    """Call a function in a forked process; returns its exit code, or minus the signal that ended it.

    As another user it may read the test's folder: pytest's own are for their owner alone.
    """

    def call(function: Callable[[], object], *, user: int | None = None) -> int:
        for folder in (tmp_path, *tmp_path.parents) if user is not None else ():
            if folder == Path(tempfile.gettempdir()):
                break
            folder.chmod(0o755)
        pid = os.fork()
        if not pid:
            code = 70
            try:
                if user is not None:
                    os.setgroups([])
                    os.setgid(user)
                    os.setuid(user)
                function()
                code = 0
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    return call
