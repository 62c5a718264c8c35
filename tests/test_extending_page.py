"""docs/extending.md: its files and commands, as they stand there."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import commands
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"

FILE = re.compile(r"`([\w/.]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)

TYPED = re.compile(r"^python -m .*$", re.MULTILINE)


@pytest.mark.slow
def test_the_loss_and_the_source_of_the_page_are_written_and_trained_as_it_says(
    colours: Callable[..., Path], tmp_path: Path
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    files = FILE.findall(page)
    assert {name for name, _ in files} == {
        *("my_loss.py", "my_source.py"),
        *("conf/loss/brier.yaml", "conf/data/text_file.yaml", "pets.yaml"),
    }
    for name, text in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    photos = sorted((colours(40) / "colours" / "images").iterdir())
    (tmp_path / "pets").mkdir()
    lines = []
    for number, photo in enumerate(photos):
        photo.rename(tmp_path / "pets" / photo.name)
        lines.append(f"{photo.name}\t{'dog' if number % 2 else 'cat'}\n")
    (tmp_path / "pets" / "photos.txt").write_text("".join(lines), encoding="utf-8")
    typed = TYPED.findall(page)
    assert len(typed) == 3
    for line in typed[1:]:
        python, _, module, *words = shlex.split(line)
        assert python == "python"
        if module == "tagger.train":
            words += ["data.size=32", "logger=csv"]
        done = commands.run(
            [sys.executable, "-m", module, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
    (config,) = (tmp_path / "runs").rglob("config.yaml")
    assert "_target_: my_loss.BrierLoss" in config.read_text(encoding="utf-8")
