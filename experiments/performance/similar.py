"""How long does a search among a million photos take with FAISS, and what does it miss?

    python experiments/performance/similar.py --photos 1000000 --threads 1

There are no million photos here: their embeddings are drawn from those of Corel5k's (EfficientNet-Lite0, 1,280
numbers). Each is a photo moved towards another by up to 60 %, with noise of a fifth of the spread of every number:
float16, on disk, mapped, as the store of embeddings has them. The photos that are searched for are 200 others of
Corel5k, that no vector was made of. A search is all of it: the query's direction, FAISS's cells, and the best compared
again with the embeddings on disk. Recall is the share of the exact 50 best that it finds. Needs 6 GB of disk and some
ten minutes.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tagger.mining.index import imported, make_index
from tagger.mining.search import BLOCK, Query, best, centre_of, query
from tagger.studies.composing import composed, composing
from tagger.tracking.run_folder import provenance
from tagger.training.building import build_data, build_network

ASKED, COUNT = 200, 50


def corel5k() -> np.ndarray:
    """Return the embeddings of Corel5k's photos, float32 (photos, features)."""
    with composing():
        config = composed("train", ["data=corel5k"])
        data = build_data(config)
        network = build_network(config, len(data.taxonomy))
    data.prepare(network.normalisation)
    data.cache_features(network.backbone, 1, torch.device("cpu"))
    return data.views[0][:].astype(np.float32)


def drawn(real: np.ndarray, photos: int, path: Path) -> np.ndarray:
    """Write embeddings of photos that nobody took, float16 (photos, features), and map them."""
    dice, spread = np.random.default_rng(0), real.std(axis=0)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(photos, real.shape[1]))
    for at in range(0, photos, BLOCK):
        count = min(BLOCK, photos - at)
        one, other = real[dice.integers(0, len(real), (2, count))]
        share = dice.uniform(0, 0.6, (count, 1)).astype(np.float32)
        noise = dice.standard_normal((count, real.shape[1]), dtype=np.float32) * (spread / 5)
        array[at : at + count] = one + share * (other - one) + noise
    array.flush()
    return np.load(path, mmap_mode="r")


def timed(search: Callable[[Query], Any], wanted: list[Query]) -> tuple[list[float], list[np.ndarray]]:
    """Return the milliseconds of every search, and the rows that it found."""
    milliseconds, found = [], []
    for one in wanted:
        began = time.perf_counter()
        rows, _ = search(one)
        milliseconds.append(1000 * (time.perf_counter() - began))
        found.append(rows)
    return milliseconds, found


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--photos", type=int, default=1_000_000)
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--exact", type=int, default=20, help="queries that are also compared with all photos")
    typed = words.parse_args()
    faiss = imported()
    faiss.omp_set_num_threads(typed.threads)
    real = corel5k()
    order = np.random.default_rng(1).permutation(len(real))
    asked, made_of = real[order[:ASKED]], real[order[ASKED:]]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        features = drawn(made_of, typed.photos, Path(folder) / "features.npy")
        centre = centre_of(features)
        wanted = [query(one[None], centre=centre) for one in asked]
        began = time.perf_counter()
        index = make_index(features, centre)
        making = time.perf_counter() - began
        file = Path(folder) / "index.faiss"
        faiss.write_index(index.faiss, str(file))
        size = file.stat().st_size
        probes = index.faiss.nprobe
        slow, right = timed(lambda one: best(one, features, COUNT), wanted[: typed.exact])
        print(
            f"Command: `python experiments/performance/similar.py --photos {typed.photos} --threads {typed.threads}`,"
        )
        print(f"commit {provenance()['commit'][:12]}, {index.faiss.nlist} cells, made in {making:.0f} s, ", end="")
        print(f"{size / 1e9:.2f} GB beside {features.nbytes / 1e9:.2f} GB of embeddings.\n")
        print("| search | cells | ms a query, median | 95th percentile | recall@50 |\n|---|---:|---:|---:|---:|")
        print(f"| all compared | – | {np.median(slow):.0f} | {np.percentile(slow, 95):.0f} | 1 |")
        for share in (0.25, 0.5, 1, 2, 4):
            index.faiss.nprobe = max(1, round(probes * share))
            timed(lambda one: index.best(one, features, COUNT), wanted[typed.exact :])
            quick, found = timed(lambda one: index.best(one, features, COUNT), wanted)
            hits = [len(np.intersect1d(*both)) / COUNT for both in zip(right, found, strict=False)]
            chosen = " (as is)" if share == 1 else ""
            print(f"| FAISS{chosen} | {index.faiss.nprobe} | {np.median(quick):.1f} | ", end="")
            print(f"{np.percentile(quick, 95):.1f} | {np.mean(hits):.3f} |", flush=True)


if __name__ == "__main__":
    main()
