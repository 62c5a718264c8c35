"""The experiment that a search writes: a delta with a preface that says where it comes from."""

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from hydra import compose
from omegaconf import DictConfig, OmegaConf

from tagger.atomic import write_text
from tagger.errors import UserError
from tagger.studies.search.delta import delta, place_words
from tagger.studies.search.findings import Findings, counted
from tagger.studies.search.version import mark_of
from tagger.studies.search.words import key_of, typed_value
from tagger.tracking.run_folder import flatten


def write_experiment(
    path: Path, found: Findings, config: DictConfig, words: Sequence[str], *, searched: Collection[str]
) -> None:
    """Write what was found, after having composed it from what will be written.

    Args:
        path: ``conf/experiment/<name>.yaml``.
        found: The search.
        config: Composed with Hydra's own part, of the best trial.
        words: Of training, as typed.
        searched: The settings of the space.

    Raises:
        UserError: If the file would not compose to the settings that were found.
    """
    where = place_words(words)
    options, settings = delta(config, where, searched=searched)
    text = preface(found) + body(found, options, settings)
    if difference := unlike(text, path.stem, config, where):
        raise UserError(
            f"{path} was not written: with {' '.join(where) or 'no words'} it would have other settings than trial "
            f"{found.best.number if found.best else '?'}: {'; '.join(difference[:5])}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def preface(found: Findings) -> str:
    """Return the comment at the head of the file."""
    best, confirmation = found.best, found.confirmation
    assert best is not None
    lines = [
        "# @package _global_",
        "#",
        f"# {found.version}: which settings of the space {found.space} tag {found.data} best?",
    ]
    if confirmation is None:
        lines += [f"# Expected: less than validation mAP {best.val_map:.4f}, the best of many; nothing confirmed it."]
    else:
        seeds = ", ".join(map(str, confirmation.best))
        lines += [
            f"# Expected: validation mAP {confirmation.best_mean:.4f}; the start has {confirmation.start_mean:.4f}",
            f"# (means of seeds {seeds}, which chose nothing).",
        ]
    lines += [
        f"# Trial {best.number} of {counted(found)}: validation mAP {best.val_map:.4f}",
        f"# with seed {found.facts['seed']}, optimistic as the best of many. The test fold decided nothing.",
        f"{mark_of(found.name)}: commit {found.facts['commit']}, {found.facts['ended'][:10]}",
        "#",
        f"#   {found.command}",
        f"#   {found.train_command}",
        "#",
    ]
    return "\n".join(lines) + "\n"


def body(found: Findings, options: dict[str, str], settings: dict[str, object]) -> str:
    """Return the delta as YAML.

    Example:
        >>> found = Findings("mine", "head", "sample", "", "", {}, {}, 0, [], version="v4.0")
        >>> print(body(found, {"loss": "focal"}, {"loss": {"gamma": 1.5}}), end="")
        defaults:
          - override /loss: focal
        <BLANKLINE>
        name: mine
        version: v4.0
        loss:
          gamma: 1.5
    """
    lines = [f"  - override /{group}: {option}" for group, option in options.items()]
    head = "\n".join(["defaults:", *lines, "", ""]) if lines else ""
    return f"{head}name: {found.name}\nversion: {found.version}\n" + (OmegaConf.to_yaml(settings) if settings else "")


def unlike(text: str, name: str, config: DictConfig, where: Sequence[str]) -> list[str]:
    """Return the settings in which an experiment, composed, differs from a training."""
    with tempfile.TemporaryDirectory(prefix="tagger-search-") as folder:
        (Path(folder) / "experiment").mkdir()
        # A name that no other file of the search path has.
        (Path(folder) / "experiment" / f"{name}_found.yaml").write_text(text, encoding="utf-8")
        # Hydra takes one searchpath: that of the command goes with ours.
        others = [word for word in where if key_of(word) != "hydra.searchpath"]
        typed = [place for word in where if word not in others for place in typed_value(word)]
        paths = ",".join([f"file://{folder}", *typed])
        composed = compose("train", overrides=[f"hydra.searchpath=[{paths}]", *others, f"+experiment={name}_found"])
    have, wanted = (_leaves(tree) for tree in (composed, config))
    return [
        f"{key}: {wanted.get(key)!r} found, {have.get(key)!r} written"
        for key in sorted({*have, *wanted})
        if have.get(key, ...) != wanted.get(key, ...)
    ]


def _leaves(config: DictConfig) -> dict[str, object]:
    tree = OmegaConf.to_container(config)
    assert isinstance(tree, dict)
    kept = ("hydra", "name", "version", "seed", "plan", "resume")
    return dict(flatten({key: value for key, value in tree.items() if key not in kept}))
