"""Write which photos are mined, and which only measure: mined.txt and measured.txt, as verdicts.csv says."""

import csv
import sys
from pathlib import Path

folder = Path(sys.argv[1])
with Path(__file__).with_name("verdicts.csv").open(encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
for half in ("mined", "measured"):
    photos = [str(folder / row["photo"]) for row in rows if row["half"] == half]
    Path(f"{half}.txt").write_text("\n".join(photos) + "\n", encoding="utf-8")
    print(f"{half}.txt: {len(photos)} photos")
