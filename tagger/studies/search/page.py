"""``report.html`` of a search: every trial, what mattered, and what each setting did."""
from pathlib import Path
from tagger.studies.search.findings import Findings


def write_page(path: Path, found: Findings) -> None: ...
