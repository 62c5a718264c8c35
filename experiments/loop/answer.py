"""Write the verdicts that were given by hand into the spreadsheet that step=export to=csv wrote."""

import csv
import sys
from collections import Counter
from pathlib import Path

table = Path(sys.argv[1])
with Path(__file__).with_name("verdicts.csv").open(encoding="utf-8") as file:
    verdicts = {row["photo"]: row for row in csv.DictReader(file)}
with table.open(encoding="utf-8-sig", newline="") as file:
    tasks = list(csv.DictReader(file))
for task in tasks:
    task["verdict"] = verdicts[Path(task["photo"]).name][task["label"]]
    task["annotator"] = "judge"
with table.open("w", encoding="utf-8-sig", newline="") as file:
    writer = csv.DictWriter(file, tasks[0].keys())
    writer.writeheader()
    writer.writerows(tasks)
for (label, verdict), count in sorted(Counter((task["label"], task["verdict"]) for task in tasks).items()):
    print(f"{label}: {count} {verdict}")
