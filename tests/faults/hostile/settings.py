"""Spaces, profiles, label systems, and words that are typed again."""

import json
from pathlib import Path
from typing import Any

from tests.faults.hostile.place import Place, hostile
from tests.faults.hostile.runs import bomb, evil, python_type


def written(place: Place, text: str) -> Path:
    path = place.folder / "hostile.yaml"
    path.write_text(text)
    return path


@hostile("space")
def a_space_that_adds_a_callback(place: Place) -> Path:
    key = place.dice.choice(
        [
            *("callbacks.evil._target_", "+callbacks.evil._target_", "loss._target_", "~loss", "callbacks@loss"),
            *("hydra.searchpath", "logger.tracking_uri", "runs", "data.source._args_"),
        ]
    )
    return written(place, json.dumps({key: {"choices": ["pandas.read_pickle", "os.mkdir"]}}))


@hostile("space")
def a_space_whose_choices_say_more(place: Place) -> Path:
    folder = place.folder / "loss"
    folder.mkdir()
    (folder / "evil.yaml").write_text(json.dumps(evil(place)))
    key, value = place.dice.choice(
        [
            ("loss", f"../../../../../../../..{folder}/evil"),
            ("loss", str(folder / "evil")),
            ("network.backbone", "hf-hub:somebody/x"),
            ("network.weights", "https://192.0.2.1/x.pth"),
            ("data.fit", "${oc.env:SECRET}"),
            ("callbacks", "[{_target_: os.mkdir}]"),
            ("data.fit", "'pad'"),
            ("data.root", "/etc"),
            ("data.fit", "a=b,c"),
        ]
    )
    return written(place, json.dumps({key: {"choices": ["x", value]}}))


@hostile("space")
def a_space_without_an_end(place: Place) -> Path:
    ranges: list[dict[str, Any]] = [
        {"data.size": {"choices": list(range(16, 16 + place.dice.randint(1000, 19_000)))}},
        {"optimizer.lr": {"low": 1, "high": 10**400}},
        {"optimizer.lr": {"low": -1e308, "high": 1e308, "step": 1e-300}},
        {"optimizer.lr": {"low": 0.1, "high": 0.2, "when": {"loss": "x"}}},
    ]
    plain = json.dumps(place.dice.choice(ranges))
    return written(place, place.dice.choice([plain, bomb(place), f"loss: {python_type(place)}"]))


@hostile("profile", refused=False)
def a_profile_that_is_a_bomb(place: Place) -> Path:
    return written(place, place.dice.choice(["", "labels:\n  ", "names: "]) + bomb(place).replace("\n", "\n  "))


@hostile("profile")
def a_profile_of_impossible_values(place: Place) -> Path:
    return written(
        place,
        place.dice.choice(
            [
                f"thresholds: {python_type(place)}",
                "target: {precision: 1e400}",
                "thresholds: {red: .nan}",
                f"thresholds: {{red: {'9' * 5000}}}",
                "implies: {red: [green], green: [red]}",
                "implies: {red: [green, blue]}\nexcludes: {green: [blue]}",
                "tags_per_photo: -1",
                "? [a, b]\n: c",
                "names: {red: {en: [x]}}",
                "target: {_target_: os.system}",
                "target: {precision: '[[[[[[[['}",
                "- a\n- b",
            ]
        ),
    )


@hostile("taxonomy")
def a_label_system_that_is_a_bomb(place: Place) -> Path:
    return written(place, "name: x\n" + bomb(place) + "\nlabels: [a, b]\n")


@hostile("taxonomy")
def a_label_system_of_impossible_values(place: Place) -> Path:
    (place.folder / "other.yaml").symlink_to(place.folder / "hostile.yaml")
    (place.folder / "zero.yaml").symlink_to("/dev/zero")
    return written(
        place,
        place.dice.choice(
            [
                "extends: hostile.yaml\nlabels: [a]",
                "extends: other.yaml\nlabels: [a]",
                "extends: zero.yaml\nlabels: [a]",
                f"extends: {'x' * 5000}.yaml\nlabels: [a]",
                "extends: [a]\nlabels: [a]",
                "labels: [{id: a, parents: [b]}, {id: b, parents: [a]}]",
                "labels: [{id: a, names: [x]}]",
                "labels: [{? [x]\n: y}]",
                "labels: [a]\nleft_out: [x]",
                "labels: [a]\nleft_out: {x: y}",
                "labels: [a]\nshared: x",
                "labels: {a: b}",
                "labels: [a, a]",
            ]
        ),
    )


@hostile("taxonomy")
def a_label_system_that_takes_an_hour(place: Place) -> Path:
    count = 20_000
    which = place.dice.randrange(4)
    if which == 0:
        labels = [{"id": f"l{n}", "parents": [f"l{n + 1}x"]} for n in range(count)]
    elif which == 1:
        labels = [{"id": f"l{n}", "sources": {f"v{n}": ["x"]}} for n in range(count)]
    elif which == 2:
        labels = [{"id": f"l{n}", "aliases": [f"l{(n + 1) % count}"]} for n in range(count)]
    else:
        labels = [{"id": f"l{n}"} for n in range(4 * count)]
    return written(place, json.dumps({"name": "x", "labels": labels}))


@hostile("words", refused=False)
def words_of_the_last_step_that_build_something(place: Place) -> Path:
    path = place.folder / "cleaning" / "last.json"
    path.parent.mkdir()
    words = ["data=corel5k", "+data.source._target_=os.mkdir", f"+data.source.path={place.marker}", "data=../../x"]
    path.write_text(json.dumps(place.dice.sample(words, 2)))
    return path
