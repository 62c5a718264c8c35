"""Which temperature and weight should a student learn with? All settings at once, judged on validation.

    python experiments/distill/settings.py teacher.tagger

Heads of all settings train side by side on the same batches of cached features (30 epochs, mixup, AdamW and cosine, as
`+experiment=distill` does), so that they differ in nothing else; mAP is scikit-learn's, of the best of six epochs.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tagger.data.datamodule import PhotoData
from tagger.data.states import PRESENT
from tagger.model.schedule import warmup_cosine
from tagger.studies.composing import composed, composing
from tagger.tags.teachers import Teachers
from tagger.training.building import build_data, build_network

SETTINGS = [(1.0, 0.0), *((t, w) for t in (1.0, 2.0, 3.0) for w in (0.5, 0.8, 1.0))]
"""Temperature and weight of the teacher."""
EPOCHS, BATCH, MIXUP = 30, 32, 0.4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teacher", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    words = ["+experiment=distill", "data=corel5k", "data.split=official", "data.size=112"]
    with composing():
        config = composed("train", words)
        data = build_data(config)
    torch.manual_seed(arguments.seed)
    network = build_network(config, len(data.taxonomy))
    data.prepare(network.normalisation)
    data.cache_features(network.backbone, config.regime.views, torch.device("cpu"))
    Teachers.open([str(arguments.teacher)], data.taxonomy).teach(data)
    best = np.max(list(trained(data, network.head)), axis=0)
    print("| temperature | weight | validation mAP |\n|--:|--:|--:|")
    for (temperature, weight), value in zip(SETTINGS, best.tolist(), strict=True):
        print(f"| {temperature:g} | {weight:g} | {value:.3f} |")


def trained(data: PhotoData, head: Any) -> Iterator[list[float]]:
    """Yield the mAP of every setting after every fifth epoch."""
    rows = data.train_rows
    assert data.taught is not None
    views = torch.stack([torch.from_numpy(np.asarray(view[rows], np.float32)) for view in data.views])
    truth = torch.from_numpy((data.catalog.states[rows].toarray() == PRESENT).astype(np.float32))
    teacher = torch.logit(torch.from_numpy(data.taught(rows)), eps=1e-7)
    weight = torch.nn.Parameter(head.weight.detach().expand(len(SETTINGS), -1, -1).clone())
    bias = torch.nn.Parameter(head.bias.detach().expand(len(SETTINGS), 1, -1).clone())
    temperature, share = (torch.tensor(values)[:, None, None] for values in zip(*SETTINGS, strict=True))
    optimizer = torch.optim.AdamW([weight, bias], lr=1e-3, weight_decay=0.01)
    steps = EPOCHS * (len(rows) // BATCH)
    rate = partial(warmup_cosine, warmup_steps=int(0.05 * steps), total_steps=steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for epoch in range(EPOCHS):
        for photos in torch.randperm(len(rows))[: len(rows) // BATCH * BATCH].view(-1, BATCH):
            own = torch.distributions.Beta(MIXUP, MIXUP).sample()
            partners = torch.randperm(BATCH)

            def mixed(values: Tensor, own: Tensor = own, partners: Tensor = partners) -> Tensor:
                return own * values + (1 - own) * values[..., partners, :]

            inputs = mixed(views[torch.randint(len(views), (BATCH,)), photos])
            logits = inputs @ weight.transpose(1, 2) + bias
            said = mixed(torch.sigmoid(teacher[photos] / temperature))
            present = mixed(truth[photos]).expand_as(logits)
            annotated = F.binary_cross_entropy_with_logits(logits, present, reduction="none")
            taught = temperature**2 * F.binary_cross_entropy_with_logits(logits / temperature, said, reduction="none")
            optimizer.zero_grad()
            ((1 - share) * annotated + share * taught).mean((1, 2)).sum().backward()
            optimizer.step()
            schedule.step()
        if epoch % 5 == 4:
            yield judged(data, weight.detach(), bias.detach())


def judged(data: PhotoData, weight: Tensor, bias: Tensor) -> list[float]:
    """Return the mAP of every setting on the validation photos."""
    inputs = torch.from_numpy(np.asarray(data.views[0][data.val_rows], np.float32))
    truth = data.catalog.states[data.val_rows].toarray() == PRESENT
    columns = np.flatnonzero(truth.any(axis=0) & (data.train_counts > 0))
    scores = (inputs @ weight.transpose(1, 2) + bias).numpy()
    return [float(np.mean([average_precision_score(truth[:, c], one[:, c]) for c in columns])) for one in scores]


if __name__ == "__main__":
    main()
