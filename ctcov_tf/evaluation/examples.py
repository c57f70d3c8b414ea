"""Example cases: the image, what the network sees of it, and where its evidence lies."""

from collections.abc import Iterable
import pathlib
from typing import Any

import keras
import numpy as np
import pandas as pd
from PIL import Image

from ctcov_tf import files
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import panels
from ctcov_tf.evaluation.explainer import Explainer, Explanation
from ctcov_tf.evaluation.remarks import part_title
from ctcov_tf.evaluation.summary import known
from ctcov_tf.images import decode
from ctcov_tf.images.overlay import overlay
from ctcov_tf.model_info import Labels
from ctcov_tf.run_directory import RunDirectory

KINDS = ("wrong", "unsure", "right")
EACH = 4  # cases of a kind


def pick_cases(predictions: pd.DataFrame, threshold: float, each: int = EACH) -> pd.DataFrame:
    """Chooses cases by their probability alone, so that nobody's eye selects them.

    Wrong: the surest wrong decisions. Unsure: nearest to the threshold. Right: the surest right ones, from
    both decisions in turn. No group gives two cases of a kind while others are left.

    Args:
      predictions: `target`, `probability`, `group_id` and `image_id` of each image; one whose target is not known
        (-1) is no case.
      threshold: probability at and above which the decision is positive.
      each: cases of a kind.

    Returns:
      The rows chosen, with `kind` and `decision` (1 positive) added; the index still counts the images.
    """
    frame = known(predictions.reset_index(drop=True))
    decision = (frame["probability"] >= threshold).astype(int)
    span = np.where(decision, 1 - threshold, threshold)  # so that both sides of the threshold reach 1
    sureness = np.abs(frame["probability"].to_numpy() - threshold) / np.maximum(span, 1e-12)
    frame = frame.assign(decision=decision, sureness=sureness)
    right = frame["decision"] == frame["target"]
    ranked = {
        "wrong": frame[~right].sort_values(["sureness", "image_id"], ascending=[False, True]),
        "right": _in_turn(frame[right].sort_values(["sureness", "image_id"], ascending=[False, True])),
        "unsure": frame.sort_values(["sureness", "image_id"]),
    }
    chosen: list[pd.DataFrame] = []
    taken: set[int] = set()
    for kind, rows in ranked.items():
        rows = rows[~rows.index.isin(taken)]
        repeats = rows.groupby("group_id").cumcount()
        rows = rows.loc[repeats.sort_values(kind="stable").index].head(each)
        taken |= set(rows.index)
        chosen.append(rows.assign(kind=kind))
    cases = pd.concat(chosen).drop(columns="sureness")
    return cases.sort_values("kind", key=lambda kinds: kinds.map(KINDS.index), kind="stable")


def _in_turn(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows.groupby("decision").cumcount().sort_values(kind="stable").index]


def draw_cases(
    run: RunDirectory, split: str, predictions: pd.DataFrame, threshold: float, model: keras.Model
) -> list[dict[str, Any]]:
    """Explains the cases of a split and draws each as a PNG in the run's figures.

    Args:
      run: the run.
      split: part of its dataset.
      predictions: of that part, as `predict_split` gives them.
      threshold: of the decision.
      model: the run's network.

    Returns:
      One record a case: `kind`, `image_id`, `truth` and `decision` (names), `probability`, `evidence` (False
      where the heat map is empty), `parts` (the strongest likelihoods of each frozen part, in words) and `figure`
      (file name).
    """
    cases = pick_cases(predictions, threshold)
    explainer = Explainer(run, model)
    rows = dict(zip(cases.index, cases.to_dict("records"), strict=True))
    drawn: dict[int, dict[str, Any]] = {}
    for index, example in enumerate(contents.examples(run.config.data, split)):
        if index not in rows:
            continue
        case = rows[index]
        rgb = decode.decode_rgb(example["image"].numpy(), str(case["image_id"]))
        explanation = explainer(rgb)
        record = {
            "kind": case["kind"],
            "image_id": case["image_id"],
            "truth": _truth(run.labels, case),
            "decision": run.labels.positive if case["decision"] else run.labels.negative,
            "probability": float(case["probability"]),
            "evidence": bool(explanation.whole.heatmap.any()),
            "parts": explanation.parts_in_words(),
        }
        footer = f"truth {record['truth']}, decision {record['decision']} ({record['probability']:.3f})"
        drawn[index] = record | {"sheet": _sheet(explanation, footer, run.labels)}
    records = []
    numbers = cases.groupby("kind").cumcount() + 1
    for index in cases.index:
        record = drawn[index]
        name = f"case_{split}_{record['kind']}_{numbers[index]}.png"
        panels.save(record.pop("sheet"), run.figures / name)
        records.append(record | {"figure": name})
    return records


def _truth(labels: Labels, case: dict[str, Any]) -> str:
    if labels.head == "findings":
        return labels.positive if case["target"] else labels.negative
    return labels.class_names[int(case["label"])]


def explain_images(run: RunDirectory, paths: Iterable[pathlib.Path], directory: pathlib.Path) -> list[dict[str, Any]]:
    """Explains image files: writes `<stem>_cam.png` for each, with the image, the network's view and the overlay.

    Args:
      run: the run.
      paths: the image files; of those with one stem the later ones get a number.
      directory: folder for the PNGs.

    Returns:
      One record an image: `image`, `probability`, `decision`, `parts` (the strongest likelihoods of each frozen
      part, in words) and `overlay` (the PNG's path). Of an image that the input gate refuses `decision` is the
      reason, `probability` and `overlay` are None, and nothing is drawn.

    Raises:
      CtcovError: an image cannot be read (none of the later ones is explained), or the run is not finished.
    """
    info = run.model_info()
    explainer = Explainer(run, run.load_model(), run.load_gate())
    records: list[dict[str, Any]] = []
    taken: set[str] = set()
    for path in map(pathlib.Path, paths):
        explanation = explainer(decode.read_rgb(path))
        if info.gate and explanation.refused:
            records.append(
                {
                    "image": str(path),
                    "probability": None,
                    "decision": info.gate.reason,
                    "parts": [],
                    "overlay": None,
                }
            )
            continue
        decision = info.labels.positive if explanation.probability >= info.threshold else info.labels.negative
        footer = f"{info.labels.positive} {explanation.probability:.3f}, threshold {info.threshold:.3f}: {decision}"
        drawn = pathlib.Path(directory) / f"{files.unused_name(path.stem, taken)}_cam.png"
        panels.save(_sheet(explanation, footer, run.labels), drawn)
        records.append(
            {
                "image": str(path),
                "probability": explanation.probability,
                "decision": decision,
                "parts": explanation.parts_in_words(),
                "overlay": drawn,
            }
        )
    return records


def _sheet(explanation: Explanation, footer: str, labels: Labels) -> Image.Image:
    whole = "Grad-CAM, part 3" if explanation.parts else "Grad-CAM"
    if labels.head == "findings":
        whole += f", {_spaced(explanation.whole.explained)}"
    maps = {whole: explanation.whole.heatmap}
    for name, evidence in explanation.parts.items():
        maps[f"{part_title(name)}, {_spaced(evidence.explained)}"] = evidence.heatmap
    images = [explanation.grey, explanation.seen, *(overlay(explanation.grey, heatmap) for heatmap in maps.values())]
    titles = [title if heatmap.any() else f"{title}: no evidence" for title, heatmap in maps.items()]
    lines = [footer, "; ".join(explanation.parts_in_words())]
    return panels.draw(images, ["image", "what the network sees", *titles], "\n".join(filter(None, lines)))


def _spaced(name: str) -> str:
    return name.replace("_", " ")
