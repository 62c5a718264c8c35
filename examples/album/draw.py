"""Draw the example sources of conf/data/album.yaml anew, by: python examples/album/draw.py.

Photos of the drawn sample album in the published formats of COCO, of Open Images, of a crawl and of another tagger's
predictions: small enough to read, exact enough to be parsed like the real ones. The same call gives the same bytes.
"""

import csv
import json
from pathlib import Path

from tagger.data.sources.sample.draw import draw_photo
from tagger.data.sources.sample.plan import plan_photo

HERE = Path(__file__).parent
SEED, SIZE = 7, 128

COCO = {
    "human.adult": (1, "person", "person"),
    "animal.bird": (16, "bird", "animal"),
    "animal.cat": (17, "cat", "animal"),
    "animal.dog": (18, "dog", "animal"),
    "object.car": (3, "car", "vehicle"),
    "object.umbrella": (28, "umbrella", "accessory"),
    "activity.skiing": (35, "skis", "sports"),
    "food.pizza": (59, "pizza", "food"),
    "food.cake": (61, "cake", "food"),
    "plant.potted_plant": (64, "potted plant", "furniture"),
}
"""Category id, name and supercategory of COCO, by the drawn label."""

OPEN_IMAGES = {
    "human": "/m/01g317",
    "animal.dog": "/m/0bt9lr",
    "plant.tree": "/m/07j7r",
    "scene.beach": "/m/0b3yr",
    "scene.forest": "/m/02zr8",
    "scene.snow": "/m/06_dn",
    "scene.sunset": "/m/01b2w5",
}
"""MIDs by the drawn label."""

PUBLISHED = ("f6ffd53184f58758", "000026e7ee790996", "000002b66c9c498e")
"""The photos of ``published-annotations-human-imagelabels.csv``."""

KEYWORDS = {"document.id_card": "ID card", "document.receipt": "receipt", "scene.office": "办公室"}


def main() -> None:
    """Draw all four."""
    draw_coco(range(16))
    draw_open_images(range(100, 116))
    draw_crawl(range(200, 800), photos=3)
    write_predictions(range(16))


def draw_coco(indices: range) -> None:
    """Write ``coco/annotations/instances_example.json`` and ``coco/example/*.jpg``."""
    folder = HERE / "coco"
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for index in indices:
        name = f"{index:012d}.jpg"
        _draw(index, folder / "example" / name)
        images.append({"license": 1, "file_name": name, "height": SIZE, "width": SIZE, "id": index})
        for label in sorted(plan_photo(SEED, index).truth & set(COCO)):
            annotations.append(
                {
                    "area": 1024.0,
                    "iscrowd": 0,
                    "image_id": index,
                    "bbox": [48.0, 48.0, 32.0, 32.0],
                    "category_id": COCO[label][0],
                    "id": len(annotations) + 1,
                }
            )
    categories = [{"supercategory": above, "id": id_, "name": name} for id_, name, above in sorted(COCO.values())]
    tree = {
        "info": {"description": "drawn", "version": "1.0", "year": 2026},
        "licenses": [{"url": "http://www.apache.org/licenses/LICENSE-2.0", "id": 1, "name": "Apache-2.0"}],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    (folder / "annotations" / "instances_example.json").write_text(json.dumps(tree, indent=1) + "\n")


def draw_open_images(indices: range) -> None:
    """Write the photos, ``image_ids_and_rotation.csv`` and human-verified labels, present and absent."""
    folder = HERE / "open_images"
    ids, labels = [], []
    for index in indices:
        key = f"{index:016x}"
        _draw(index, folder / f"{key}.jpg")
        ids.append([key, "train", *[""] * 5, "drawn", *[""] * 3, 0])
        truth = plan_photo(SEED, index).truth
        # Annotators verified what a machine had proposed: here, every other label.
        for label, mid in list(OPEN_IMAGES.items())[index % 2 :: 2]:
            labels.append([key, "verification", mid, int(label in truth)])
    # Of these the labels are published beside it, and not the photos.
    ids += [[key, "train", *[""] * 9, ""] for key in PUBLISHED]
    header = ["ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author"]
    header += ["Title", "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation"]
    _write(folder / "image_ids_and_rotation.csv", header, ids)
    header = ["ImageID", "Source", "LabelName", "Confidence"]
    _write(folder / "example-annotations-human-imagelabels.csv", header, labels)


def draw_crawl(indices: range, *, photos: int) -> None:
    """Write ``crawl/<keyword>/*.jpg``."""
    for label, keyword in KEYWORDS.items():
        found = [index for index in indices if label in plan_photo(SEED, index).truth]
        for number, index in enumerate(found[:photos], 1):
            _draw(index, HERE / "crawl" / keyword / f"{number:06d}.jpg")


def write_predictions(indices: range) -> None:
    """Write ``product/predictions.jsonl``: what another tagger said of the photos of ``coco``."""
    lines = [
        json.dumps({"photo": str(index), "tag": label, "score": 0.9})
        for index in indices
        for label in sorted(plan_photo(SEED, index).truth & {"scene.beach", "scene.forest", "plant.tree"})
    ]
    (HERE / "product").mkdir(exist_ok=True)
    (HERE / "product" / "predictions.jsonl").write_text("\n".join(lines) + "\n")


def _draw(index: int, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_photo(plan_photo(SEED, index), size=SIZE).save(path, quality=80)


def _write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
