"""Sentences that several items of the checklists need, each made of facts."""

from typing import Any

from ctcov_tf.card import words
from ctcov_tf.card.facts import EVALUATE, FINISH
from ctcov_tf.card.sheet import Facts
from ctcov_tf.card.unknown import Unknown
from ctcov_tf.evaluation.remarks import judged_split


def source(facts: Facts) -> str:
    """Where the images come from."""
    data = facts["data"]
    if isinstance(data["source"], Unknown):
        return Unknown(f"{data['name']}: {data['source'].removeprefix('unknown: ')}")
    return f"{data['name']}, {words.text(data['source'])}"


def counts(facts: Facts) -> str:
    """Images and groups of each part."""
    parts = (
        f"{name}: {part['images']} images of {part['groups']} groups ("
        + ", ".join(f"{label} {number}" for label, number in part["by_class"].items())
        + ")"
        for name, part in facts["data"]["splits"].items()
    )
    return "; ".join(parts)


def left_out(facts: Facts) -> str:
    """Files that the builder left out."""
    left = facts["data"]["left_out"]
    if isinstance(left, Unknown):
        return left
    reasons = "; ".join(f"{one['file']}: {one['reason']}" for one in left[:4])
    more = f"; and {len(left) - 4} more in build_report.json" if len(left) > 4 else ""
    return f"{len(left)} files left out by the builder" + (f" ({reasons}{more})" if left else "")


def preprocessing(facts: Facts) -> str:
    """Steps between a file and the network."""
    steps = facts["settings"]["preprocess"]
    names = {"equalise": "histogram equalisation", "blur": "Gaussian blur (3 x 3)", "standardise": "standardisation"}
    done = [name for key, name in names.items() if steps[key]]
    return (
        f"grey levels, resized to {steps['image_size']} x {steps['image_size']} pixels, {', '.join(done) or 'no more'}"
    )


def partition(facts: Facts) -> str:
    """Whether parts share groups."""
    disjoint = facts["data"]["groups_disjoint"]
    if isinstance(disjoint, Unknown):
        return disjoint
    if disjoint:
        return "by group (patient, series or batch): no group stands in two parts, checked when the data are read"
    return "parts may share groups: the dataset declares that it cannot promise otherwise" + _shared(facts)


def _shared(facts: Facts) -> str:
    if isinstance(facts["evaluation"], Unknown):
        return ""
    shared = (
        f"{part['groups_in_train']} of {part['groups']} groups of {name} stand in train"
        for name, part in facts["evaluation"]["splits"].items()
        if part.get("groups_in_train")
    )
    return "".join(f"; {one}" for one in shared)


def training(facts: Facts) -> str:
    """How the network was trained."""
    chosen, done = facts["settings"]["train"], facts["training"]
    keys = ("optimizer", "learning_rate", "schedule", "batch_size", "loss", "label_smoothing", "precision", "seed")
    text = ", ".join(f"{key.replace('_', ' ')} {words.text(chosen[key])}" for key in keys)
    augment = facts["settings"]["augment"]
    text += f"; rotation to {augment['rotation_degrees']:g} degrees, shift to {augment['translation']:g} of the side"
    return text if isinstance(done, Unknown) else f"{done['epochs']} epochs; {text}"


def selection(facts: Facts) -> str:
    """Which weights were kept, and how the threshold was chosen."""
    done, calibration = facts["training"], facts["calibration"]
    if isinstance(done, Unknown) or "kept_epoch" not in done:
        return FINISH
    text = f"weights of epoch {done['kept_epoch']}, by AUC on validation ({done['kept_val_auc']:.3f})"
    if isinstance(calibration, Unknown):
        return text
    return f"{text}; threshold {calibration['threshold']:.3f} by {calibration['threshold_rule']}"


def network(facts: Facts) -> str:
    """The network and its outputs."""
    model = facts["model"]
    parts = "".join(f"; frozen {part['name']} ({part['preset']}, {part['trained_on']})" for part in model["parts"])
    outputs = ", ".join(model["outputs"])
    return f"{model['kind']}, preset {facts['run']['preset']}, {model['head']} output: {outputs}{parts}"


def performance(facts: Facts) -> str:
    """Main metrics of the part judged, with intervals."""
    split, part = judged(facts)
    if split is None:
        return EVALUATE
    named = {"AUC": "auc", "sensitivity": "recall", "specificity": "specificity"}
    values = ", ".join(f"{title} {words.text(part['metrics'][key])}" for title, key in named.items())
    return f"{split}, {part['images']} images of {part['groups']} groups: {values}"


def uncertainty(facts: Facts) -> str:
    """How the intervals come about."""
    if isinstance(facts["evaluation"], Unknown):
        return EVALUATE
    how = facts["evaluation"]["bootstrap"]
    return (
        f"{how['level']:.0%} intervals by bootstrap over {how['unit']}s, {how['replicates']} replicates, "
        f"seed {how['seed']}, the threshold held fixed"
    )


def robustness(facts: Facts) -> str:
    """Controls that the evaluation holds."""
    evaluation = facts["evaluation"]
    if isinstance(evaluation, Unknown):
        return EVALUATE
    split = judged_split(evaluation)
    titles = {
        "metadata_only": "a classifier without pixels",
        "source_alone": "the source of an image alone",
        "same_source": "images of one source only",
    }
    found = [
        f"{title}, AUC {words.text(auc)}" for key, title in titles.items() if (auc := _auc(evaluation, key, split))
    ]
    more = [name for name in ("controls", "subgroups") if evaluation.get(name)]
    found += [f"{name} as listed in this card" for name in more]
    return "; ".join(found) or Unknown("this evaluation holds no control; run ctcov evaluate again")


def _auc(evaluation: dict[str, Any], key: str, split: str | None) -> Any:
    found = evaluation.get(key, {}).get(split) or {}
    return found.get("auc") or found.get("metrics", {}).get("auc")


def explanation(facts: Facts) -> str:
    """What was done to explain the network, and whether it stood the checks."""
    if isinstance(facts["evaluation"], Unknown):
        return EVALUATE
    checks = facts["evaluation"].get("explanation")
    if not checks:
        return Unknown("this evaluation did not check heat maps; run ctcov evaluate again")
    if "left_out" in checks:
        return f"Grad-CAM at layer {checks['layer']}; not checked: {checks['left_out']}"
    last = checks["randomisation"]["stages"][-1]["rank_correlation"]
    by_order = ", ".join(
        f"{kind} {words.text(checks['deletion'][kind]['difference'])}" for kind in ("deletion", "insertion")
    )
    return (
        f"Grad-CAM at layer {checks['layer']}, checked on {checks['images']} images of {checks['split']}: rank "
        f"correlation with maps of random weights {words.text(last)}; advantage over an order by lot: {by_order}"
    )


def failures(facts: Facts) -> str:
    """Wrong decisions of the part judged."""
    split, part = judged(facts)
    if split is None:
        return EVALUATE
    wrong = part["confusion"]
    drawn = any(name.startswith(f"case_{split}_wrong") for name in facts["figures"])
    shown = "; the surest of them are drawn with their heat maps in report.html" if drawn else ""
    return f"{split}: {wrong['fp']} false positive and {wrong['fn']} false negative images{shown}"


def readings(facts: Facts) -> str:
    """How often the test part was read."""
    log = facts["test_readings"]
    return (
        f"the test part was read {len(log)} times by this run" if log else "the test part has not been read by this run"
    )


def limits(facts: Facts) -> str:
    """What the evaluation warns of."""
    evaluation = facts["evaluation"]
    if isinstance(evaluation, Unknown):
        return EVALUATE
    return " ".join([*evaluation["warnings"], *evaluation["remarks"]]) or "the evaluation has no remark"


def joined(*answers: str) -> str:
    """Several answers as one, what is known first; unknown where all of them are."""
    if all(isinstance(answer, Unknown) for answer in answers):
        return answers[0]
    return "; ".join(answer.rstrip(".") for answer in sorted(answers, key=lambda answer: isinstance(answer, Unknown)))


def judged(facts: Facts) -> tuple[str | None, dict[str, Any]]:
    """The part that the verdict rests on, and its numbers; None where nothing was evaluated."""
    evaluation = facts["evaluation"]
    split = None if isinstance(evaluation, Unknown) else judged_split(evaluation)
    return (split, evaluation["splits"][split]) if split else (None, {})
