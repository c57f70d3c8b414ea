"""Images side by side over a line of text: how a case is shown."""

from collections.abc import Sequence
import pathlib

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from ctcov_tf import RESEARCH_USE, files

SIDE = 256  # of a panel, pixels
GAP, LINE = 8, 26
BACKGROUND, INK, QUIET = "#111111", "#EEEEEE", "#A0A0A0"


def draw(images: Sequence[npt.NDArray], captions: Sequence[str], footer: str) -> Image.Image:
    """Draws panels from left to right, a caption under each, and a footer with the notice below.

    Args:
      images: uint8 (h, w) or (h, w, 3) RGB of any size; each is fitted into a square, its shape kept.
      captions: one an image.
      footer: lines below the panels.
    """
    width = len(images) * (SIDE + GAP) + GAP
    lines = footer.split("\n")
    sheet = Image.new("RGB", (width, GAP + SIDE + (2 + len(lines)) * LINE + GAP), BACKGROUND)
    drawing = ImageDraw.Draw(sheet)
    small, normal = ImageFont.load_default(15), ImageFont.load_default(18)
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        fitted = _fit(image)
        left = GAP + index * (SIDE + GAP)
        sheet.paste(fitted, (left + (SIDE - fitted.width) // 2, GAP + (SIDE - fitted.height) // 2))
        drawing.text((left, GAP + SIDE + 4), caption, fill=QUIET, font=small)
    for number, line in enumerate(lines, start=1):
        drawing.text((GAP, GAP + SIDE + number * LINE + 4), line, fill=INK, font=normal)
    drawing.text((GAP, GAP + SIDE + (1 + len(lines)) * LINE + 4), RESEARCH_USE, fill=QUIET, font=small)
    return sheet


def save(sheet: Image.Image, path: pathlib.Path) -> None:
    """Writes a sheet as PNG, whole or not at all."""
    notice = PngImagePlugin.PngInfo()
    notice.add_text("Description", RESEARCH_USE)
    with files.atomic_path(path) as written:
        sheet.save(written, pnginfo=notice)


def to_uint8(image: npt.NDArray) -> npt.NDArray:
    """Stretches a pre-processed image to grey levels, so that it can be looked at.

    Args:
      image: (size, size, 3) float of any range, three equal channels.

    Returns:
      (size, size) uint8; black if the image is constant.
    """
    grey = image[..., 0]
    spread = float(grey.max() - grey.min())
    return np.round((grey - grey.min()) * (255 / spread if spread else 0)).astype(np.uint8)


def _fit(image: npt.NDArray) -> Image.Image:
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return Image.fromarray(cv2.resize(np.ascontiguousarray(image), size, interpolation=interpolation)).convert("RGB")
