"""Modules of an extra that is not installed are not searched for examples."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("gradio") else ["tagger/tags/serving/page.py", "tagger/tags/serving/server.py"]

# They hold no examples, and one that is collected before that of the folder above would be taken for it.
collect_ignore_glob = ["tests/*conftest.py"]
