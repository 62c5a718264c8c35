"""Compare tags with verdicts on the half that was not mined: precision, recall, average precision of the new labels."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from tagger.cleaning.report.accuracy import wilson_interval

with Path(__file__).with_name("verdicts.csv").open(encoding="utf-8") as file:
    verdicts = {row["photo"]: row for row in csv.DictReader(file)}
lines = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
print("| label | photos that show it | of | AP | random | given | right | precision | recall |")
print("|---|---:|---:|---:|---:|---:|---:|---|---|")
for label in ("bedroom", "bathroom"):
    judged = [(line, verdicts[Path(line["photo"]).name][label]) for line in lines]
    judged = [(line, verdict == "y") for line, verdict in judged if verdict != "u"]
    shows = np.array([is_shown for _, is_shown in judged])
    scores = np.array([line["scores"][label] for line, _ in judged])
    given = np.array([label in {tag["label"] for tag in line["tags"]} for line, _ in judged])
    right = int((given & shows).sum())
    found = [wilson_interval(right, int(total)) for total in (given.sum(), shows.sum())]
    shares = [f"{one.share:.2f} ({one.low:.2f} to {one.high:.2f})" for one in found]
    ap = average_precision_score(shows, scores)
    cells = [label, shows.sum(), len(shows), f"{ap:.2f}", f"{shows.mean():.2f}", given.sum(), right, *shares]
    print(f"| {' | '.join(map(str, cells))} |")
