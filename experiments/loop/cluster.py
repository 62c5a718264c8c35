"""Print the number of the cluster that has most photos of a kind: what a person sees on the contact sheet."""

import csv
import sys
from collections import Counter
from pathlib import Path

with Path(__file__).with_name("verdicts.csv").open(encoding="utf-8") as file:
    shows = {row["photo"] for row in csv.DictReader(file) if row[sys.argv[1]] == "y"}
with Path("mining/clusters/mined/photos.csv").open(encoding="utf-8") as file:
    members = [(row["cluster"], Path(row["photo"]).name in shows) for row in csv.DictReader(file)]
(number, found) = Counter(cluster for cluster, is_shown in members if is_shown).most_common(1)[0]
size = sum(cluster == number for cluster, _ in members)
print(f"{sys.argv[1]}: cluster {number}, {found} of its {size} photos", file=sys.stderr)
print(number)
