"""How well the input gate tells other images from those that the model knows: `ctcov gate`.

Known images are a part of the run's dataset. Against them stand the same images turned, upside down and with grey
levels inverted, noise, and whatever folders are named.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import dataclasses
import pathlib
from typing import Any

import cv2
import matplotlib as mpl
from matplotlib.figure import Figure
import numpy as np
import numpy.typing as npt
import tqdm

from ctcov_tf import RESEARCH_USE, errors, files
from ctcov_tf.calibration import gate as gate_lib
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import figures, gate_features, tables
from ctcov_tf.evaluation.summary import SEED
from ctcov_tf.images import decode
from ctcov_tf.model_info import OOD_LIMIT
from ctcov_tf.progress import Bar
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import metrics as metrics_lib

NOISE_IMAGES = 50
_ABOVE = float(np.nextafter(np.float32(OOD_LIMIT), np.float32(2)))  # at and above which an image is refused

_CHANGES: dict[str, Callable[[npt.NDArray], npt.NDArray]] = {
    "turned by 90 degrees": lambda image: np.rot90(image),
    "upside down": lambda image: np.rot90(image, 2),
    "inverted": lambda image: 255 - image,
    "contrast trebled": lambda image: cv2.addWeighted(image, 3, image, 0, -255),
}


@dataclasses.dataclass(frozen=True)
class Images:
    """Images of one kind.

    Attributes:
      grey: uint8 (h, w) each.
      groups: (n,), name of each image's group; images alike bear the same.
    """

    grey: Sequence[npt.NDArray]
    groups: npt.NDArray


def report(
    run: RunDirectory,
    against: Sequence[pathlib.Path],
    out: pathlib.Path,
    *,
    split: str = "validation",
    limit: int = 500,
) -> dict[str, Any]:
    """Measures the gate, and writes `gate.json` and `gate.png`.

    Args:
      run: a run with a gate.
      against: folders of image files that are not what the model knows.
      out: folder to write to.
      split: part of the dataset that the known images are; a reading of the test part is logged.
      limit: most images of a folder, drawn with a fixed seed.

    Returns:
      What `gate.json` holds: the `gate`'s record, `dataset`, `split`, `known` (`images`, `groups`, `refused` as a share
      with its interval) and by name in `against` the same, and `auc` of telling them apart, with its interval over
      groups.

    Raises:
      CtcovError: the run has no gate, or a folder holds no image that can be read.
    """
    info, arrays = run.model_info().gate, run.load_gate()
    if info is None or arrays is None:
        raise errors.CtcovError(f"{run.path}: has no input gate: fit one with ctcov calibrate {run.path}")
    folders = {str(folder): _of_folder(folder, limit) for folder in against}
    if split == "test":
        run.log_test_reading("test", "ctcov gate")
    model = run.load_model()
    known = _of_split(run, split)
    scores = {"": gate_lib.scores(arrays, gate_features.of_split(run, split, model))}
    judged: dict[str, dict[str, Any]] = {}
    for name, images in _others(known, folders):
        scores[name] = gate_lib.scores(arrays, gate_features.of_images(run, images.grey, model, f"gate {name}"))
        auc = _auc(scores[""], known.groups, scores[name], images.groups)
        judged[name] = _refused(scores[name], images.groups) | {"auc": auc}
    found = {
        "gate": dataclasses.asdict(info),
        "dataset": run.manifest["name"],
        "split": split,
        "known": _refused(scores[""], known.groups),
        "against": judged,
        "bootstrap": {"unit": "group", "replicates": bootstrap.REPLICATES, "seed": SEED, "level": bootstrap.LEVEL},
        "notice": RESEARCH_USE,
    }
    figures.save(histograms(scores, f"{found['dataset']}, {split}"), out / "gate.png")
    files.write_json(out / "gate.json", found)
    return found


def table(found: dict[str, Any]) -> str:
    """What `report` returned, as text for the terminal."""
    rows = [["", "images (groups)", "refused", "AUC"], _row(f"{found['dataset']}, {found['split']}", found["known"])]
    rows += [_row(name, kind) for name, kind in found["against"].items()]
    return tables.aligned(rows)


def histograms(scores: dict[str, npt.NDArray], known: str) -> Figure:
    """Scores of each kind of image, one strip a kind; the line is the limit.

    Args:
      scores: (n,) by kind; "" are the known ones.
      known: title of the known ones.
    """
    largest = max(float(np.max(values, initial=2.0)) for values in scores.values())
    smallest = min(float(np.min(values, initial=0.5)) for values in scores.values())
    edges = np.geomspace(max(smallest, 1e-2) * 0.95, largest * 1.05, 60)
    with mpl.rc_context(figures.STYLE):
        figure = figures.new_figure(7.2, 1.0 + 0.62 * len(scores))
        strips = figure.subplots(len(scores), sharex=True, squeeze=False)[:, 0]
        for axes, (name, values) in zip(strips, scores.items(), strict=True):
            colour = figures.COLOURS["metadata only" if name else "test"]
            axes.hist(np.clip(values, edges[0], edges[-1]), bins=edges, color=colour)
            axes.set_ylim(top=1.5 * axes.get_ylim()[1])  # room for the title
            axes.axvline(OOD_LIMIT, color=figures.INK, linewidth=1)
            axes.set(xscale="log", yticks=[])
            axes.grid(visible=False)
            axes.spines["left"].set_visible(False)
            title = (
                f"{pathlib.PurePath(name).name or known}: {np.mean(values > OOD_LIMIT):.0%} of {len(values)} refused"
            )
            axes.text(1.0, 0.95, title, transform=axes.transAxes, ha="right", va="top", fontsize=8)
        strips[-1].set_xlabel("score of the input gate (log scale); above the line at 1 an image is refused")
        strips[-1].xaxis.set_major_formatter("{x:g}")
        strips[0].set_title("How unlike the training images")
    return figure


def _row(name: str, kind: dict[str, Any]) -> list[str]:
    auc = tables.number(kind["auc"]) if "auc" in kind else ""
    return [name, f"{kind['images']} ({kind['groups']})", tables.number(kind["refused"]), auc]


def _refused(scores: npt.NDArray, groups: npt.NDArray) -> dict[str, Any]:
    positive = np.ones(len(scores), int)
    interval = bootstrap.bootstrap(positive, scores, groups, _ABOVE, seed=SEED).intervals["recall"]
    value = metrics_lib.binary_metrics(positive, scores, _ABOVE)["recall"]
    return {
        "images": len(scores),
        "groups": len(np.unique(groups)),
        "refused": bootstrap.with_interval(value, interval),
    }


def _auc(
    known: npt.NDArray, known_groups: npt.NDArray, others: npt.NDArray, other_groups: npt.NDArray
) -> dict[str, float | None]:
    target = np.repeat([0, 1], [len(known), len(others)])
    scores, groups = np.concatenate([known, others]), np.concatenate([known_groups, other_groups])
    value = metrics_lib.binary_metrics(target, scores, _ABOVE)["auc"]
    return bootstrap.with_interval(
        value, bootstrap.bootstrap(target, scores, groups, _ABOVE, seed=SEED).intervals["auc"]
    )


def _of_split(run: RunDirectory, split: str) -> Images:
    examples = contents.examples(run.config.data, split).as_numpy_iterator()
    grey = [decode.decode_grey(example["image"], example["image_id"].decode()) for example in examples]
    return Images(grey, contents.metadata(run.config.data, split)["group_id"].to_numpy(str))


def _of_folder(folder: pathlib.Path, limit: int) -> Images:
    """A seeded sample of a folder's image files, each a group; what cannot be read is left out."""
    if not folder.is_dir():
        raise errors.CtcovError(f"{folder}: no such folder: name one that holds image files")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in decode.SUFFIXES)
    chosen = np.random.default_rng(SEED).permutation(len(paths))[:limit]
    drawn = [paths[index] for index in sorted(chosen)]
    read = dict(_read(Bar(drawn, f"read {folder.name}", unit="image")))
    if not read:
        raise errors.CtcovError(f"{folder}: holds no image that can be read: name a folder of PNG, JPEG or BMP files")
    return Images(list(read.values()), np.array(list(map(str, read))))


def _read(paths: Iterable[pathlib.Path]) -> Iterator[tuple[pathlib.Path, npt.NDArray]]:
    for path in paths:
        try:
            yield path, decode.decode_grey(decode.read_bytes(path), str(path))
        except errors.CtcovError as error:
            tqdm.tqdm.write(f"left out: {error}")


def _others(known: Images, folders: dict[str, Images]) -> Iterator[tuple[str, Images]]:
    for name, change in _CHANGES.items():
        yield name, Images([np.ascontiguousarray(change(image)) for image in known.grey], known.groups)
    yield "noise", _noise()
    yield from folders.items()


def _noise() -> Images:
    """Noise of grains from one pixel to a tenth of the side."""
    generator = np.random.default_rng(SEED)
    grey = []
    for grain in np.geomspace(0.5, 25, NOISE_IMAGES):
        noise = cv2.GaussianBlur(generator.normal(size=(256, 256)), (0, 0), grain)
        grey.append((255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8))
    return Images(grey, np.array([f"noise{index}" for index in range(NOISE_IMAGES)]))
