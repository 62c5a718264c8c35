"""Modules of an extra that is not installed are not searched for examples; one thread each."""

import os
from importlib.util import find_spec

import pytest

# Here, where nothing heavy has been imported. Threads of two workers on two cores would wait for each other's, and a
# process that is forked from one with threads for ever.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SERVE = ["application", "body", "border", "desk", "server"]
collect_ignore = [] if find_spec("starlette") else [f"tagger/tags/serving/{name}.py" for name in SERVE]

# They hold no examples, and one that is collected before that of the folder above would be taken for it.
collect_ignore_glob = ["tests/*conftest.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first: at the end one process would wait for the other."""
    items.sort(key=lambda item: not {"test_campaign.py", "test_label_studio_server.py"} & {item.path.name})
