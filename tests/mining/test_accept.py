import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from omegaconf import OmegaConf

from tagger.data.taxonomy import read_taxonomy
from tagger.mining.steps.accept import grown


def accepting(label: str) -> Any:
    config = OmegaConf.create(
        {
            "label": label,
            "to": "grown.yaml",
            "data": {"taxonomy": "first.yaml"},
            "parents": [],
            "definition": "It counts.",
            "cluster": 1,
            "pool": "photos",
        }
    )
    return SimpleNamespace(config=config, say=lambda line: None)


def test_commands_that_write_into_one_label_system_at_once_take_turns(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("first.yaml").write_text("name: first\nlabels:\n  - dog\n")
    # All of them are ready before the first one begins.
    ready, go = os.pipe(), os.pipe()
    children = []
    for number in range(6):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                os.close(go[1])
                os.write(ready[1], b".")
                os.read(go[0], 1)
                grown(accepting(f"new.label{number}"), 10)
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    for _ in children:
        os.read(ready[0], 1)
    os.close(go[1])
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 6
    assert set(read_taxonomy("grown.yaml").ids) == {"dog", *(f"new.label{number}" for number in range(6))}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.yaml", "grown.yaml"]
    for handle in (*ready, go[0]):
        os.close(handle)
