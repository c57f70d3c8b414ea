"""Folders of made-up images with the faults that a test asks for."""

import pathlib

import cv2
import numpy as np

CLASSES = ("covid", "normal")
PARTS = ("train", "test")


def picture(seed, shape=(120, 140)):
    """A smooth picture like no other, uint8."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.normal(size=(9, 11)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.normal(size=shape), (0, 0), 2.5)
    return np.clip(128 + 35 * coarse + 100 * fine, 0, 255).astype(np.uint8)


def write(path: pathlib.Path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def folder(path: pathlib.Path, groups=40, images_of_a_group=2, change=None):
    """`labels.csv` and images of two classes and two parts; `change(image, label)` may plant a mark."""
    lines = ["file,class,split,patient,source"]
    for group in range(groups):
        label, part = CLASSES[group % 2], PARTS[group // 2 % 2]
        for number in range(images_of_a_group):
            image = picture((group, number))
            name = f"images/{group}_{number}.png"
            write(path / name, change(image, label) if change else image)
            lines.append(f"{name},{label},{part},p{group},clinic {group % 3}")
    (path / "labels.csv").write_text("\n".join(lines) + "\n")
    return path


def mark(image, label):
    """A bright bar in a corner that tells the class."""
    marked = image.copy()
    column = 6 if label == CLASSES[0] else image.shape[1] - 22
    marked[6:10, column : column + 16] = 240
    return marked
