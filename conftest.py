"""Modules of an extra that is not installed are not searched for examples."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("gradio") else ["tagger/tags/serving/page.py", "tagger/tags/serving/server.py"]
