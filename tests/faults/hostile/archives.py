"""Manifests that say what cannot be, and archives that are none."""

import os
import random
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.hostile.bundles import SIZE, bundle, repacked, stated
from tests.faults.hostile.place import Place, hostile


@hostile("bundle")
def a_hundred_thousand_labels_of_which_one_is_there_twice(place: Place) -> Path:
    plain = {"names": {}, "threshold": 0.5, "figures": {}}
    labels = [{"id": f"label{number}", **plain} for number in range(99_999)]
    return stated(place, labels=[*labels, {"id": f"label{place.dice.randrange(99_999)}", **plain}])


@hostile("bundle")
def a_manifest_of_impossible_values(place: Place) -> Path:
    label = {"id": "red", "names": {}, "threshold": 0.5, "figures": {}}
    changed: dict[str, Any] = place.dice.choice(
        [
            {"labels": [{**label, "threshold": 10**400}]},
            {"labels": [{**label, "figures": {"ap": -(10**400)}}]},
            {"labels": [{**label, "id": "\ud800"}]},
            {"labels": [{**label, "names": {"en": "\udfff"}}]},
            {"labels": [{**label, "curve": {"thresholds": [10**400], "tagged": [1], "found": [1], "positives": 1}}]},
            {
                "labels": [
                    {**label, "curve": {"thresholds": [0.5], "tagged": [1], "found": [1], "positives": float("nan")}}
                ]
            },
            {"preprocessing": {"size": place.huge, "fit": "pad"}},
            {"preprocessing": {"size": 16.0, "fit": "pad"}},
            {"preprocessing": {"size": SIZE, "fit": "pad", "max_pixels": place.huge}},
            {"preprocessing": {"size": SIZE, "fit": {}, "std": [None] * 3}},
            {"relations": [["implies", "red", "nowhere"]]},
            {"relations": [["implies", "red", "green"]] * 200_000},
            {"relations": "implies"},
            {"files": {"model.onnx": {"bytes": 10**400, "sha256": ""}}},
            {"version": 10**400},
            {"detector": {"sha256": "", "classes": {}, "labels": []}},
            {"labels": {}},
        ]
    )
    return stated(place, **changed)


@hostile("bundle")
def a_manifest_that_is_deep_or_long(place: Place) -> Path:
    path = stated(place)
    depth = place.dice.choice([500, 900, 995, 100_000])
    content = place.dice.choice([b"[" * depth, b'{"preprocessing":' + b"[" * depth + b"]" * depth + b"}", b"1" * 10**6])
    whole = b'{"format": "tagger bundle", "version": 2, "labels": [' + b"[" * depth + b"]" * depth + b"]}"
    return repacked(path, {"manifest.json": place.dice.choice([content, whole])})


@hostile("bundle")
def relations_that_are_a_chain_and_a_profile(place: Place) -> Path:
    count = 20_000
    plain = {"names": {}, "threshold": 0.5, "figures": {}}
    labels = [{"id": f"l{number}", **plain} for number in range(count)]
    chain = [["implies", f"l{number}", f"l{number + 1}"] for number in range(count - 1)]
    (place.folder / "profile.yaml").write_text("excludes: {l1: [l3]}\n")
    return stated(place, labels=labels, relations=chain)


@hostile("bundle")
def an_archive_that_leaves_its_folder(place: Place) -> Path:
    name = place.dice.choice(["../../x", "/tmp/x", "model.onnx/../../x", "..\\x", "card.md\x00.txt"])
    return repacked(bundle(place), {name: b"x"})


@hostile("bundle")
def an_archive_that_is_a_bomb(place: Place) -> Path:
    return repacked(bundle(place), {"model.onnx": bytes(200_000_000)}, zipfile.ZIP_DEFLATED)


@hostile("bundle")
def an_archive_of_a_million_names(place: Place) -> Path:
    path = place.folder / "hostile.tagger"
    entry = b"PK\x01\x02" + bytes(24) + (1).to_bytes(2, "little") + bytes(16) + b"x"
    directory = entry * 1_000_000
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff" + len(directory).to_bytes(4, "little") + bytes(4) + bytes(2)
    path.write_bytes(directory + end)
    return path


@hostile("bundle")
def an_archive_that_lies_or_ends_early(place: Place) -> Path:
    path = repacked(bundle(place), {})
    content = bytearray(path.read_bytes())
    which = place.dice.randrange(4)
    if which == 0:
        content = content[: place.dice.randrange(len(content))]
    elif which == 1:
        # A size in the directory.
        at = content.rfind(b"PK\x01\x02") + 20
        content[at : at + 8] = (2**32 - 2).to_bytes(4, "little") * 2
    elif which == 2:
        # Encrypted.
        content[content.find(b"PK\x01\x02") + 8] |= 1
    else:
        content[place.dice.randrange(len(content) // 2)] ^= 0xFF
    path.write_bytes(bytes(content))
    return path


@hostile("bundle")
def a_folder_of_links(place: Place) -> Path:
    path = bundle(replace(place, dice=random.Random(1)), None)
    folder = path if path.is_dir() else place.folder / "folder"
    if not path.is_dir():
        folder.mkdir()
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                (folder / name).write_bytes(archive.read(name))
    name = place.dice.choice(["manifest.json", "model.onnx", "card.md"])
    (folder / name).unlink()
    which = place.dice.randrange(3)
    if which == 0:
        (folder / name).symlink_to(place.folder / "canary")
    elif which == 1:
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero")
    return folder
