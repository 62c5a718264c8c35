"""Nothing that is written says where things lie on this machine."""

from pathlib import Path

import pytest

from tagger.studies.places import settings_without_places, without_places


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("data.root=/data/photos/corel", "data.root=${oc.env:TAGGER_DATA}/corel"),
        ("runs=/home/ann/runs cache=/home/ann", "runs=~/runs cache=~"),
        ("runs='/var/my runs/a'", "runs='…/my runs/a'"),
        ("runs=[/srv/runs/a,/srv/runs/b]", "runs=[…/a,…/b]"),
        ("/home/anna/x", "…/x"),
        ("runs/a ../b ~/c ./d", "runs/a ../b ~/c ./d"),
        ("sqlite:////srv/mlflow.db sqlite:///mlflow.db", "sqlite:///…/mlflow.db sqlite:///mlflow.db"),
        ("https://server.example/a/b s3://bucket/a", "https://server.example/a/b s3://bucket/a"),
        ("file:///srv/own", "file://…/own"),
        ("python -m tagger.train loss.gamma=1/2", "python -m tagger.train loss.gamma=1/2"),
    ],
)
def test_a_path_is_told_by_what_it_is_and_not_by_where(text: str, told: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAGGER_DATA", "/data/photos")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ann"))
    assert without_places(text) == told


def test_settings_keep_their_shape(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAGGER_DATA", "/data/photos")
    tree = {"data": {"root": "/data/photos", "size": 224, "sources": ["/srv/a", None]}, "plan": False}
    assert settings_without_places(tree) == {
        "data": {"root": "${oc.env:TAGGER_DATA}", "size": 224, "sources": ["…/a", None]},
        "plan": False,
    }
