"""What the numbers mean, in words computed from them: the remarks of the report."""

from typing import Any

from ctcov_tf.evaluation.explanation import remarks as explanation
from ctcov_tf.model_info import GATE_LEVEL


def warnings(metrics: dict[str, Any]) -> list[str]:
    """What a reader must know before any number: patients that stand in train and in a part judged.

    Args:
      metrics: what `protocols.evaluate` writes to metrics.json.

    Returns:
      Sentences for the top of the report.
    """
    found = []
    for split, part in metrics["splits"].items():
        if split != "train" and part["groups_in_train"]:
            found.append(
                f"Patients stand in train and in {split}: {part['groups_in_train']} of the {part['groups']} groups of "
                f"the {split} part, with {part['images_in_train']} of its {part['images']} images, also stand in "
                "train. Its numbers rest on patients that the model knows: expect less on new ones."
            )
    if metrics["shares_groups"] and not found:
        found.append(f"Patients may stand in several parts of this dataset: {metrics['shares_groups']}")
    return found


def remarks(metrics: dict[str, Any]) -> list[str]:
    """Remarks on an evaluation, gravest first.

    Args:
      metrics: what `protocols.evaluate` writes to metrics.json.

    Returns:
      Sentences for a reader of the report.
    """
    found = []
    if metrics["synthetic"]:
        found.append("The images are synthetic: nothing here says how the model does on patients.")
    for split, part in metrics["splits"].items():
        found += _on_size(split, part)
    judged = judged_split(metrics)
    found += _on_parts(metrics)
    if judged:
        found += _on_sources(judged, metrics)
        found += _on_metadata(judged, metrics)
        found += _on_controls(metrics.get("controls", {}).get(judged))
        found += _on_discrimination(judged, metrics["splits"][judged])
        found += _on_subgroups(metrics.get("subgroups", {}).get(judged, {}))
        found += _on_calibration(judged, metrics.get("calibration", {}).get(judged))
    found += _on_gap(metrics["splits"])
    if "0.5" in metrics["threshold"]["threshold_rule"]:
        found.append(f"The threshold is {metrics['threshold']['threshold_rule']}.")
    found += _on_gate(metrics["gate"])
    found += _on_pointing(metrics["pointing_game"])
    found += explanation.remarks(metrics.get("explanation"))
    if metrics["test_readings"] > 1:
        found.append(
            f"The test part has been read {metrics['test_readings']} times for this run: "
            "the more choices follow from it, the less its numbers mean."
        )
    return found


def _on_gate(parts: dict[str, dict[str, int]]) -> list[str]:
    if not parts:
        return []
    counts = [f"{one['refused']} of the {one['images']} images of {split}" for split, one in parts.items()]
    found = f"The input gate would refuse {' and '.join(counts)}; all numbers here are of all images."
    left_out = 1 - GATE_LEVEL
    many = [split for split, one in parts.items() if one["refused"] > 2 * round(left_out * one["images"], 9)]
    if many:
        found += (
            f" On {' and '.join(many)} that is more than twice the {left_out:.0%} of validation that its limit leaves "
            "out: these images are less like the training images, or the limit rests on too few."
        )
    return [found]


def part_title(name: str) -> str:
    """`part1` as readers see it: part 1."""
    return name.replace("part", "part ", 1)


def judged_split(metrics: dict[str, Any]) -> str | None:
    """The part that the verdict rests on: test where it was read, else the last part; None if there is none."""
    splits = list(metrics["splits"])
    return "test" if "test" in splits else (splits[-1] if splits else None)


def _on_size(split: str, part: dict[str, Any]) -> list[str]:
    if not part["images"]:
        return [f"The {split} part holds no images."]
    found = []
    if part["positives"] in (0, part["images"]):
        found.append(f"The {split} part holds one class only: its AUC and some other metrics are undefined.")
    elif part["one_class_replicates"]:
        found.append(
            f"{part['one_class_replicates']} of the resamplings of the {split} part drew one class only "
            "and are left out of the AUC's interval: the part is small."
        )
    return found


def _on_parts(metrics: dict[str, Any]) -> list[str]:
    found = []
    for part in metrics["parts"]:
        name, trained_on = part_title(part["name"]), part["trained_on"]
        if trained_on == metrics["dataset"]:
            found.append(
                f"The frozen {name} was trained on the same dataset, {trained_on}: on training images its likelihoods "
                "are surer than on new ones, since it has learnt these images, and the fusion may trust them too much."
            )
        elif _builder(trained_on) == _builder(metrics["dataset"]) and not metrics["synthetic"]:
            found.append(
                f"The frozen {name} was trained on another form of the dataset, {trained_on}: images judged here may "
                "be among those that it has learnt."
            )
    return found


def _builder(dataset: str) -> str:
    return dataset.split("/")[0].split(":")[0]


def _on_sources(split: str, metrics: dict[str, Any]) -> list[str]:
    part, alone, same = metrics["splits"][split], metrics["source_alone"].get(split), metrics["same_source"].get(split)
    if not alone:
        return []
    counts = alone["sources"].values()
    if all(one["positives"] in (0, one["images"]) for one in counts):
        return [
            f"Every source of the {split} part holds positive images only or negative ones only: the source tells the "
            "class, and no number here can show that disease is being read."
        ]
    found = []
    ours, theirs = part["metrics"]["auc"], alone["auc"]
    if theirs["low"] is not None and theirs["low"] > 0.5:
        verdict = (
            "That is no worse than the model: its score on the whole part could rest on the source alone."
            if theirs["value"] >= ours["low"]
            else "The model is better, but part of its score on the whole part may be the source."
        )
        found.append(
            f"The source of an image alone, no pixel, gives AUC {theirs['value']:.3f} on the {split} part "
            f"(the model {ours['value']:.3f}). {verdict}"
        )
    if same:
        found.append(_on_same_source(split, part, same))
    return found


def _on_same_source(split: str, part: dict[str, Any], same: dict[str, Any]) -> str:
    auc, difference = same["metrics"]["auc"], same["auc_difference"]
    negatives = same["images"] - same["positives"]
    interval = f" (95 % interval {auc['low']:.3f} to {auc['high']:.3f})" if auc["low"] is not None else ""
    of_all = part["images"] - part["positives"]
    text = (
        f"{negatives} of the {of_all} negative images of the {split} part come from a source that also holds positive "
        f"ones ({_listed(same['sources'])}). Against these alone the AUC is {auc['value']:.3f}{interval}"
    )
    if difference["low"] is None:
        return f"{text}."
    change = f"{difference['value']:+.3f}, 95 % interval {difference['low']:+.3f} to {difference['high']:+.3f}"
    if difference["high"] < 0:
        return (
            f"{text}, clearly worse than on the whole part ({change}): part of the whole part's score is the source, "
            "not the disease."
        )
    if difference["low"] > 0:
        return f"{text}, clearly better than on the whole part ({change})."
    return f"{text}; the change from the whole part is within chance ({change})."


def _listed(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _on_metadata(split: str, metrics: dict[str, Any]) -> list[str]:
    metadata = metrics["metadata_only"].get(split)
    ours = metrics["splits"][split]["metrics"]["auc"]
    theirs = metadata["metrics"]["auc"] if metadata else None
    if theirs is None or theirs["value"] is None or ours["value"] is None:
        return []
    seen = "A classifier that sees only size, mode and file format of the images, no pixel,"
    if theirs["low"] is None:
        return [f"{seen} reaches AUC {theirs['value']:.3f} on the {split} part."]
    difference = metadata["auc_difference"]
    gap = (
        f"(difference {difference['value']:+.3f}, 95 % interval {difference['low']:+.3f} to {difference['high']:+.3f})"
    )
    if theirs["low"] <= 0.5 <= theirs["high"]:
        return [
            f"{seen} is at chance on the {split} part (AUC {theirs['value']:.3f}): the files don't give the class away."
        ]
    scores = f"reaches AUC {theirs['value']:.3f} on the {split} part, the model {ours['value']:.3f} {gap}"
    if difference["high"] < 0:
        verdict = (
            "The files tell the class better than the model does: positive and negative images come from different "
            "places, and no score on them shows that disease is being read."
        )
    elif difference["low"] > 0:
        verdict = "The model is better, but part of what it reads may be the same difference between sources."
    else:
        verdict = "The two can't be told apart: the score does not show that disease is being read."
    return [f"{seen} {scores}. {verdict}"]


def _on_controls(control: dict[str, Any] | None) -> list[str]:
    titles = {"border_only": "nothing but the border of the images", "centre_masked": "images with their centre hidden"}
    above = {
        "border_only": "it reads something other than the lungs",
        "centre_masked": "part of what it reads lies outside the centre, where tight crops still show some lung",
    }
    if not control:
        return []
    found, at_chance = [], []
    for mask, one in control["masks"].items():
        auc, difference, seen = one["auc"], one["auc_difference"], titles[mask]
        if auc["low"] is None:
            continue
        scores = f"AUC {auc['value']:.3f}, 95 % interval {auc['low']:.3f} to {auc['high']:.3f}"
        if auc["low"] <= 0.5 <= auc["high"]:
            at_chance.append(f"{seen} ({scores})")
            continue
        if auc["high"] < 0.5:
            found.append(
                f"On {seen} the model is below chance ({scores}): what is left sways it against the labels, so its "
                "score on whole images can't rest on it."
            )
            continue
        text = f"On {seen} the model is above chance ({scores}): {above[mask]}."
        if difference["high"] < 0:
            text += f" It does less well there than on whole images ({difference['value']:+.3f})."
        else:
            text += f" Its score on whole images ({control['whole']['auc']['value']:.3f}) could rest on that alone."
        found.append(text)
    if at_chance:
        found.append(
            f"On {' and on '.join(at_chance)} the model can't be told from chance: this control finds nothing."
        )
    return found


def _on_subgroups(subgroups: dict[str, dict[str, Any]]) -> list[str]:
    found, mostly_unknown = [], []
    for name, levels in subgroups.items():
        unknown = levels.get("unknown", {"images": 0})["images"]
        images = sum(level["images"] for level in levels.values())
        if unknown > images / 2:
            mostly_unknown.append(f"the {name} of {unknown} of {images} images")
        aucs = {
            level: one["metrics"]["auc"]
            for level, one in levels.items()
            if level != "unknown" and not one["small"] and one["metrics"]["auc"]["low"] is not None
        }
        if len(aucs) < 2:
            continue
        best, worst = max(aucs, key=lambda level: aucs[level]["low"]), min(aucs, key=lambda level: aucs[level]["high"])
        if aucs[best]["low"] > aucs[worst]["high"]:
            found.append(
                f"By {name}, the AUC of {worst} ({aucs[worst]['value']:.3f}) is clearly lower than that of {best} "
                f"({aucs[best]['value']:.3f}): their intervals don't meet."
            )
    if mostly_unknown:
        found.append(f"The dataset does not record {' and '.join(mostly_unknown)}: little can be said by these.")
    return found


def _on_calibration(split: str, worth: dict[str, Any] | None) -> list[str]:
    if not worth:
        return []
    after = worth["after"]
    error, excess = after["expected_calibration_error"]["equal_mass"], after["in_the_large"]
    most = error["if_calibrated"]["high"]
    off = f"The probabilities on the {split} part are off by {error['value']:.3f} on average"
    if error["value"] <= most:
        text = f"{off}, which so many images of a perfectly calibrated model would also show (up to {most:.3f})."
    else:
        text = f"{off}, a perfectly calibrated model would show {most:.3f} at most on so many images"
        if excess["low"] is not None and (excess["low"] > 0 or excess["high"] < 0):
            text += (
                f"; they are too {'high' if excess['value'] > 0 else 'low'} by {abs(excess['value']):.3f} on the whole"
            )
        text += ". Don't read them as probabilities."
    return [text, *_on_prevalence(worth)]


def _on_prevalence(worth: dict[str, Any], prevalence: float = 0.05) -> list[str]:
    values = worth["operating_points"][0]["predictive_values"]
    place = values["prevalences"].index(prevalence)
    value, low, high = (values["positive"][name][place] for name in ("value", "low", "high"))
    if low is None:
        return []
    return [
        f"Where {prevalence:.0%} of patients are positive, {value:.0%} of this threshold's positive decisions would be "
        f"right (95 % interval {low:.0%} to {high:.0%}); here {worth['positives'] / worth['images']:.0%} of images are "
        "positive."
    ]


def _on_discrimination(split: str, part: dict[str, Any]) -> list[str]:
    auc = part["metrics"]["auc"]
    if auc["low"] is None:
        return []
    if auc["low"] <= 0.5:
        return [
            f"The interval of the AUC on the {split} part, {auc['low']:.3f} to {auc['high']:.3f}, "
            "reaches down to chance (0.5): the model has not been shown to tell the classes apart."
        ]
    width = auc["high"] - auc["low"]
    return [
        f"The AUC on the {split} part rests on {part['images']} images of {part['groups']} groups; its 95 % interval "
        f"is {width:.3f} wide, so models that differ by less than about {width / 2:.2f} can't be told apart here."
    ]


def _on_gap(splits: dict[str, Any]) -> list[str]:
    if not {"validation", "test"} <= set(splits):
        return []
    validation, test = (splits[name]["metrics"]["auc"] for name in ("validation", "test"))
    if validation["low"] is None or test["low"] is None:
        return []
    if validation["low"] > test["high"]:
        return ["The test part is clearly worse than validation: checkpoint and threshold were fitted to the latter."]
    if test["low"] > validation["high"]:
        return ["The test part is clearly better than validation: the two parts differ in more than chance."]
    return []


def _on_pointing(game: dict[str, Any] | None) -> list[str]:
    if not game or game["share"] is None or game["low"] is None:
        return []
    place = f"In {game['share']:.0%} of images the heat map's maximum lies in the lesion (chance {game['chance']:.0%})"
    if game["low"] > game["chance"]:
        return [f"{place}: more often than a random point would."]
    return [f"{place}: no more often than a random point might, so the heat maps are no proof of what the model reads."]
