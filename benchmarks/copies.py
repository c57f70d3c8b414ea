"""How many changed copies of real images does `ctcov audit` find, and how many pairs that are none?

    python -m benchmarks.copies FOLDER [--images N] [--json] [--record FILE]

Every image of a folder (as `ctcov audit` takes it) gets a copy: cut by a share of its height and width, at random
places, every second one mirrored, scaled to 64 to 128 px, saved as JPEG of quality 50 to 90. Images stand in one class,
copies in another, and the audit's own search looks for pairs. A false pair joins an image and the copy of another
group's image, beyond those that the originals themselves make.
"""

import dataclasses
import pathlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import tyro

from benchmarks import record
from ctcov_tf.audit import classifiers, duplicates
from ctcov_tf.audit import scan as scan_lib
from ctcov_tf.audit.collection import open_collection

CUTS = (0.0, 0.05, 0.1, 0.15, 0.2)  # shares of height and of width


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """Which images."""

    folder: tyro.conf.Positional[str] = ""
    """Folder of images, or TFDS name of a built dataset."""
    data_dir: str | None = None
    """Where `tfds build --data_dir` put the dataset."""
    images: int = 700
    """Images that get a copy, drawn at random."""
    seed: int = 0
    """Of the draw and of the changes."""


def main(options: Options) -> None:
    """Counts what is found and publishes the record."""
    seen = scan_lib.scan(open_collection(options.folder, options.data_dir))
    rng = np.random.default_rng(options.seed)
    chosen = rng.choice(len(seen.table), min(options.images, len(seen.table)), replace=False)
    groups = classifiers.groups_of(seen.table)[chosen]
    cases = [
        record.Case(
            f"cut by {cut:.0%}",
            "share of copies missed",
            {"ctcov": _one(missed)},
            facts={"ctcov": {"false pairs": false, "images": len(chosen)}},
        )
        for cut in CUTS
        for missed, false in [count(seen.thumbnails[chosen], groups, cut, rng)]
    ]
    settings = {"folder": pathlib.Path(options.folder).name, "images": len(chosen), "seed": options.seed}
    record.publish(record.make("copies", settings, cases, []), options)


def count(originals: npt.NDArray, groups: npt.NDArray, cut: float, rng: np.random.Generator) -> tuple[float, int]:
    """Share of the copies that are missed, and number of false pairs.

    Args:
      originals: thumbnails, uint8 (n, side, side).
      groups: (n,), the group of each.
      cut: share of height and of width that a copy lacks.
      rng: draws the changes.
    """
    copies = [copy(image, cut, bool(number % 2), rng) for number, image in enumerate(originals)]
    images = len(originals)
    table = pd.DataFrame(
        {
            "label": np.repeat(["original", "copy"], images),
            "split": "all",
            "group": np.tile(groups, 2),
            "sha256": np.arange(2 * images),
        }
    )
    found = duplicates.find(scan_lib.Scan(table, np.concatenate([originals, np.stack(copies)]), {}))
    across = {tuple(sorted((pair.first, pair.second))) for pair in found.pairs}
    right = {(row, row + images) for row in range(images)}
    alike = {pair for pair in across if pair[1] < images}
    false = {
        (one, other)
        for one, other in across - right
        if one < images <= other
        and groups[one] != groups[other - images]
        and tuple(sorted((one, other - images))) not in alike
    }
    return round(len(right - across) / images, 4), len(false)


def copy(image: npt.NDArray, cut: float, mirrored: bool, rng: np.random.Generator) -> npt.NDArray:
    """A changed copy of a thumbnail, as its own thumbnail would be."""
    side = len(image)
    (top, bottom), (left, right) = (np.round(rng.dirichlet([1, 1]) * cut * side).astype(int) for _ in range(2))
    kept = image[top : side - bottom, left : side - right]
    small = int(rng.integers(side // 2, side + 1))
    scaled: Any = cv2.resize(np.ascontiguousarray(kept), (small, small), interpolation=cv2.INTER_AREA)
    quality = int(rng.integers(50, 91))
    saved = cv2.imencode(".jpg", cv2.flip(scaled, 1) if mirrored else scaled, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.resize(cv2.imdecode(saved, cv2.IMREAD_GRAYSCALE), (side, side), interpolation=cv2.INTER_LINEAR)


def _one(value: float) -> record.Spread:
    """A single count as a spread."""
    return {"median": value, "low": value, "high": value}


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
