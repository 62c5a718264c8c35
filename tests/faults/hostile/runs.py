"""Settings of runs that build something else."""

import json
import pickle
from pathlib import Path
from typing import Any

from tests.faults.hostile.checkpoints import Runs
from tests.faults.hostile.place import Place, hostile


def run_folder(place: Place, **settings: Any) -> Path:
    """The folder of a run whose settings are these."""
    return configured(place, json.dumps(settings))


def configured(place: Place, text: str) -> Path:
    folder = place.folder / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(text)
    (folder / "checkpoints" / "best.ckpt").write_bytes(place.checkpoint.read_bytes())
    return folder / "checkpoints" / "best.ckpt"


def sound(place: Place) -> dict[str, Any]:
    """Settings of a run that could be."""
    data = {
        "_target_": "tagger.data.datamodule.PhotoData",
        "_convert_": "all",
        "source": {"_target_": "tagger.data.sources.listing.Listing", "folder": "nowhere", "unlisted": "absent"},
        "taxonomy": "voc",
        "root": str(place.folder),
        "split": "folds",
        "unknown": "negative",
        "batch_size": 8,
        "size": 32,
        "fit": "pad",
        "augment": {"_target_": "tagger.data.datamodule.Augment"},
        "bad_photos": "skip",
        "max_pixels": 10_000,
        "workers": 0,
    }
    sampler = {"_target_": "tagger.data.replication.Replication"}
    thresholds = {"_target_": "tagger.tags.thresholds.Target"}
    return {"data": data, "sampler": sampler, "thresholds": thresholds, "seed": 0, "name": "x", "cache": "/nowhere"}


def evil(place: Place) -> dict[str, Any]:
    """What Hydra would run."""
    pickled = place.folder / "evil.pkl"
    pickled.write_bytes(pickle.dumps(Runs(place.marker)))
    return place.dice.choice(  # type: ignore[no-any-return]
        [
            {"_target_": "pandas.read_pickle", "filepath_or_buffer": str(pickled)},
            {"_target_": "pandas.read_pickle", "_args_": [str(pickled)]},
            {"_target_": "torch.hub.load", "repo_or_dir": str(place.folder), "model": "x", "source": "local"},
            {"_target_": "tagger.tracking.run_folder.subprocess.run", "args": ["touch", str(place.marker)]},
            {"_target_": "os.mkdir", "path": str(place.marker)},
            {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [str(place.marker)]}]},
            {"_target_": "builtins.open", "file": str(place.folder / "canary")},
            {"_target_": "numpy.load", "file": str(pickled), "allow_pickle": True},
            {"_target_": "tagger.data.sources.drawn.draw_album", "folder": str(place.marker), "photos": 1},
        ]
    )


@hostile("run")
def settings_that_build_something_else(place: Place) -> Path:
    settings, thing = sound(place), evil(place)
    which = place.dice.randrange(6)
    if which == 0:
        settings["data"]["source"] = thing
    elif which == 1:
        settings["data"]["augment"] = thing
    elif which == 2:
        settings["sampler"] = thing
    elif which == 3:
        settings["thresholds"] = thing
    elif which == 4:
        settings |= {"extension": thing, "from_model": str(place.checkpoint)}
    else:
        settings["data"]["source"] |= {"more": [[{"deep": thing}]]}
    return run_folder(place, **settings)


@hostile("run")
def settings_that_read_the_environment(place: Place) -> Path:
    settings = sound(place)
    secret = place.dice.choice(["${oc.env:SECRET}", "${oc.decode:${oc.env:SECRET}}", "x${oc.env:SECRET}.yaml"])
    settings["data"] |= {place.dice.choice(["taxonomy", "root", "split", "fit"]): secret}
    return run_folder(place, **settings)


@hostile("run")
def settings_of_other_classes_of_ours(place: Place) -> Path:
    settings = sound(place)
    settings["data"]["source"] = place.dice.choice(
        [
            {"_target_": "pytorch_lightning.loggers.MLFlowLogger", "tracking_uri": "http://192.0.2.1"},
            {"_target_": "tagger.data.sources.drawn.DrawnAlbum", "folder": str(place.marker), "photos": "many"},
            {"_target_": "tagger.data.catalog.prepared.Prepared", "folder": "s3://somebody/x"},
            {"_target_": "tagger.data.datamodule.Augment"},
            ["_target_"],
        ]
    )
    return run_folder(place, **settings)


@hostile("run")
def settings_that_are_a_bomb(place: Place) -> Path:
    return configured(place, bomb(place))


@hostile("run")
def settings_with_types_of_python(place: Place) -> Path:
    return configured(place, f"data: {python_type(place)}\nthresholds: {{}}\n")


def bomb(place: Place) -> str:
    """YAML that stands for more than it looks."""
    doubling = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(place.dice.randint(6, 20))
    )
    merged = "a0: &a0 {k: v}\n" + "".join(
        f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}\n" for n in range(12)
    )
    return place.dice.choice(
        [
            doubling,
            merged,
            "a: &a [*a]\n",
            "&a {x: *a}\n",
            "[" * 5000,
            "- " * 5000,
            "a: " + "1:" * 200_000 + "1\n",
            "a: " + "9" * 50_000 + "\n",
        ]
    )


def python_type(place: Place) -> str:
    """A value of a type of Python, which makes what it names."""
    return place.dice.choice(
        [
            f"!!python/object/apply:os.system ['touch {place.marker}']",
            f"!!python/object/new:pathlib.Path.touch [{place.marker}]",
            f"!!python/object/apply:subprocess.run [[touch, {place.marker}]]",
            "!!python/name:os.system ''",
            "!!python/module:os ''",
        ]
    )
