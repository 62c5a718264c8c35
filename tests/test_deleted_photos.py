"""A photo that was deleted after it was prepared stops no command."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import commands
import pytest
from tiny import TINY, data_of

pytestmark = pytest.mark.slow

ONE_EPOCH = ["trainer.max_epochs=1", "logger=csv"]

TYPED = {
    "cached features": ["train", *TINY, *ONE_EPOCH, "regime=cached"],
    "head": ["train", *TINY, *ONE_EPOCH, "regime=head"],
    "worker processes": ["train", *TINY, *ONE_EPOCH, "data.workers=2"],
    "the plan": ["train", *TINY, "plan=true"],
    "the queue": ["clean", "step=queue", *TINY[:2], "kinds=[]", "sample=8", "overlap=1"],
    "the search for photos like one": [
        *("mine", "what=similar", "examples=pool/001.png", "pool=pool", "n=3", "size=48", "workers=0", "label=red"),
        *TINY[:2],
    ],
}


@pytest.mark.parametrize("listed", [True, False], ids=["it is still listed", "its row is gone, too"])
def test_commands_go_on_without_a_deleted_photo_and_say_how_many_are_left_out(
    colours: Callable[..., Path], tmp_path: Path, listed: bool
) -> None:
    root = colours(40)
    listing = root / "colours" / "labels.csv"
    data = [*data_of(root), f"+data.catalog={tmp_path / 'catalog'}"]

    def typed(verb: str, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", f"tagger.{verb}", *words, *data]
        return commands.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    assert typed("prepare", *TINY[:2]).returncode == 0
    (tmp_path / "pool").symlink_to(root / "colours" / "images")
    (root / "colours" / "images" / "003.png").unlink()
    if not listed:
        listing.write_text(listing.read_text().replace("003.png,grey\n", ""))
        assert " 1  " in typed("prepare", *TINY[:2]).stdout
    for what in TYPED if listed else ["cached features", "the queue"]:
        verb, *words = TYPED[what]
        done = typed(verb, *words)
        assert done.returncode == 0, f"{what}: {done.stdout[-2000:]}{done.stderr}"
        if listed and verb == "train":
            assert "1 of 40 photos left out: missing, for instance " in done.stdout, what
