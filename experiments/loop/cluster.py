"""Print the number of the cluster with most photos of a kind, as seen on the contact sheet, and list its photos."""

import csv
import sys
from collections import Counter
from pathlib import Path

with Path(__file__).with_name("verdicts.csv").open(encoding="utf-8") as file:
    shows = {row["photo"] for row in csv.DictReader(file) if row[sys.argv[1]] == "y"}
with Path("mining/clusters/mined/photos.csv").open(encoding="utf-8") as file:
    members = [(row["cluster"], row["photo"]) for row in csv.DictReader(file)]
(number, found) = Counter(cluster for cluster, photo in members if Path(photo).name in shows).most_common(1)[0]
own = [photo for cluster, photo in members if cluster == number]
Path(f"{sys.argv[1]}.txt").write_text("\n".join(own) + "\n", encoding="utf-8")
print(f"{sys.argv[1]}: cluster {number}, {found} of its {len(own)} photos", file=sys.stderr)
print(number)
