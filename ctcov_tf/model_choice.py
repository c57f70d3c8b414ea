"""Which model is meant: one that is named, by path or as a shipped one, or the best that ships."""

from collections.abc import Sequence
import pathlib

from ctcov_tf import errors, shipped

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".dcm", ".dicom", ".tif", ".tiff", ".gif", ".webp")


def place(model: str | None) -> pathlib.Path:
    """Where a model stands.

    Args:
      model: a path, or the name of a shipped model, with or without its date; None for the best shipped one.

    Raises:
      CtcovError: None is given, and none ships.
    """
    if model is None:
        best = shipped.best()
        if best is None:
            raise errors.CtcovError(shipped.NONE)
        return best.path
    path = pathlib.Path(model)
    found = None if path.exists() else shipped.named(model)
    return found.path if found else path


def answering(model: str | None) -> pathlib.Path:
    """Where what answers alone stands, without heat maps: of a shipped model its TFLite file.

    Args:
      model: as in `place`.

    Raises:
      CtcovError: as `place`, or the shipped file is not as it was shipped.
    """
    path = place(model)
    return shipped.read(path).answering_file if shipped.is_shipped(path) else path


def split(arguments: Sequence[str], model: str | None = None) -> tuple[pathlib.Path, list[pathlib.Path]]:
    """Parts the words of `ctcov predict` into the model and the images.

    The first word is the model if it is one: a `.tflite` file, a folder with a model, or a shipped model's name; or if
    nothing of that name exists and it does not end as images do, so that a mistyped model is not taken for an image.

    Args:
      arguments: the words.
      model: what `--model` says; all words are images then.

    Returns:
      The model, and what is to be answered.

    Raises:
      CtcovError: no image is left, or no model is named and none ships.
    """
    images = list(arguments)
    if model is None and images and _is_model(images[0], alone=len(images) == 1):
        model = images.pop(0)
    if not images:
        raise errors.CtcovError("ctcov predict: the following arguments are required: IMAGE: see ctcov predict --help")
    return place(model), list(map(pathlib.Path, images))


def _is_model(word: str, *, alone: bool) -> bool:
    path = pathlib.Path(word)
    if path.is_dir():
        versions = (folder for folder in path.glob("*/") if folder.name.isdecimal())
        return any((folder / name).is_file() for folder in (path, *versions) for name in shipped.MODEL_FILES)
    if path.is_file():
        with path.open("rb") as file:
            return path.suffix == ".tflite" or file.read(8)[4:] == b"TFL3"
    return (
        path.suffix == ".tflite"
        or shipped.named(word) is not None
        or (not alone and path.suffix.lower() not in _IMAGES)
    )
