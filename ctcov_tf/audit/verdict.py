"""What the numbers of an audit mean, in words: what is found, what to be cautious of, what is clean."""

import dataclasses
from typing import Any

from ctcov_tf.audit.counts import NOT_TOLD
from ctcov_tf.audit.duplicates import MOST_BITS

MUCH = 0.9
"""Lower end of the AUC of the thumbnail, which may show coarse disease, above which there is a caution."""

Remark = tuple[str, str]
"""A sentence, and whether it is a `finding`, a `caution` or `clean`."""

FROM = {
    "file": "From size, mode, format and length of the file, no pixel,",
    "source": "From the source, no pixel,",
    "patient": "From age, sex and view, as far as they are told,",
    "border": "From the border, a sixteenth of each side,",
    "masked_centre": "From the image with its centre masked, an eighth of each side left,",
    "thumbnail": "From a thumbnail of 16 x 16 pixels",
}


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is still let pass; anything above is a finding.

    Attributes:
      max_auc: of a classifier that sees nothing of the lungs; held against the lower end of the interval.
      max_conflicts: pictures in two classes.
      max_duplicates: pictures in two parts.
      max_shared_groups: groups in two parts.
    """

    max_auc: float = 0.65
    max_conflicts: int = 0
    max_duplicates: int = 0
    max_shared_groups: int = 0


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The outcome of an audit.

    Attributes:
      headline: one sentence.
      findings: what makes the collection unfit, gravest first.
      cautions: what to know, without being a finding.
      clean: what was looked for and not found.
    """

    headline: str
    findings: list[str]
    cautions: list[str]
    clean: list[str]


def verdict(audit: dict[str, Any], limits: Limits) -> Verdict:
    """Judges an audit.

    Args:
      audit: what `audit.audit` measured.
      limits: what is let pass.
    """
    judged = [judge(audit, limits) for judge in (_on_conflicts, _on_repetitions, _on_groups)]
    judged += [remark for result in audit["classifiers"] for remark in _on_classifier(result, limits)]
    judged += [(text, "caution") for text in _on_data(audit)]
    findings, cautions, clean = (
        [text for text, severity in judged if severity == kind] for kind in ("finding", "caution", "clean")
    )
    return Verdict(_headline(audit, findings, cautions), findings, cautions, clean)


def limit_of(name: str, limits: Limits) -> float:
    """What the lower end of a classifier's interval is held against.

    Args:
      name: of the classifier.
      limits: what is let pass.
    """
    return MUCH if name == "thumbnail" else limits.max_auc


def _headline(audit: dict[str, Any], findings: list[str], cautions: list[str]) -> str:
    if findings:
        number = "one finding" if len(findings) == 1 else f"{len(findings)} findings"
        return f"As it stands, {audit['name']} cannot show that a model reads disease: {number}."
    weak = "; the cautions say what could not be judged" if cautions else ""
    return f"Nothing alarming was found in {audit['name']}{weak}. That is no proof that nothing is there."


def _on_conflicts(audit: dict[str, Any], limits: Limits) -> Remark:
    pairs = [pair for pair in audit["duplicates"]["pairs"] if "classes" in pair["between"]]
    if not pairs:
        return "No picture was found in two classes.", "clean"
    text = f"{_pictures(pairs)} in two classes: {_named(pairs)}. One of the two labels is wrong."
    return text, _severity(len(pairs) > limits.max_conflicts)


def _on_repetitions(audit: dict[str, Any], limits: Limits) -> Remark:
    if len(audit["counts"]) < 2:
        return "There is one part only, so nothing can repeat from part to part.", "clean"
    pairs = [pair for pair in audit["duplicates"]["pairs"] if "parts" in pair["between"]]
    if not pairs:
        return "No picture was found in two parts.", "clean"
    text = f"{_pictures(pairs)} in two parts: {_named(pairs)}. A model is judged on what it was trained on."
    return text, _severity(len(pairs) > limits.max_duplicates)


def _on_groups(audit: dict[str, Any], limits: Limits) -> Remark:
    if len(audit["counts"]) < 2:
        return "There is one part only, so no group stands in two.", "clean"
    if not audit["groups"]["told"]:
        return "Whether parts share patients cannot be seen: no groups are told.", "caution"
    if not audit["overlaps"]:
        return "No group stands in two parts.", "clean"
    shared = max(overlap["groups"] for overlap in audit["overlaps"])
    texts = [
        f"{_number(overlap['groups'], 'group')} in {' and in '.join(overlap['parts'])}, with "
        f"{overlap['images'][0]} and {overlap['images'][1]} images"
        for overlap in audit["overlaps"]
    ]
    text = f"Parts share groups: {'; '.join(texts)}. Numbers on them rest on patients that the model knows."
    return text, _severity(shared > limits.max_shared_groups)


def _severity(above: bool) -> str:
    return "finding" if above else "caution"


def _on_classifier(result: dict[str, Any], limits: Limits) -> list[Remark]:
    sight = FROM[result["name"]]
    if not result["classes"]:
        return [(f"{sight} nothing was learnt: {result['reason']}.", "caution")]
    bounded = [one for one in result["classes"] if one["low"] is not None]
    found: list[Remark] = []
    if len(bounded) < len(result["classes"]):
        values = ", ".join(f"{one['label']} {one['value']:.3f}" for one in result["classes"] if one["low"] is None)
        found.append((f"{sight} AUC {values}, {result['reason']}: no limit is held against it.", "caution"))
    if not bounded:
        return found
    worst = max(bounded, key=lambda one: one["low"])
    limit = limit_of(result["name"], limits)
    value = f"AUC {worst['value']:.3f} [{worst['low']:.3f}, {worst['high']:.3f}]"
    if worst["low"] <= limit:
        chance = ", and chance is not excluded" if worst["low"] <= 0.5 else ""
        return [*found, (f"{sight} {worst['label']} is told with {value}: within the limit{chance}.", "clean")]
    text = f"{sight} {worst['label']} is told with {value}, above the limit of {limit:g}"
    if result["name"] == "patient":
        return [*found, (f"{text}: classes differ in whom they show, so compare within these.", "caution")]
    if result["name"] == "thumbnail":
        return [*found, (f"{text}: detail is hardly needed, be it coarse disease or none.", "caution")]
    return [*found, (f"{text}: that much can be scored without reading disease.", "finding")]


def _on_data(audit: dict[str, Any]) -> list[str]:
    found = list(audit["remarks"])
    if audit["synthetic"]:
        found.append("The images are synthetic: nothing here says anything about patients.")
    without = audit["images"] - audit["groups"]["told"]
    if without:
        found.append(
            f"{without} of {audit['images']} images have no patient or group told. Each is taken for a group of its "
            "own: patients may stand on both sides of a fold, and the intervals are too narrow."
        )
    if list(audit["sources"]) == [NOT_TOLD]:
        found.append("No sources are told, so whether the source tells the class cannot be judged.")
    if audit["published"]:
        off = [row for row in audit["published"]["rows"] if row["found"] != row["published"]]
        if off:
            texts = ", ".join(f"{row['part']} {row['class']} {row['found']} of {row['published']}" for row in off)
            found.append(f"The number of images is not the one stated in {audit['published']['source']}: {texts}.")
    duplicates = audit["duplicates"]
    between_groups = [pair for pair in duplicates["pairs"] if pair["between"] == ["groups"]]
    if between_groups:
        found.append(
            f"{_pictures(between_groups)} under two groups of one class and part: {_named(between_groups)}. These "
            "groups may be one patient: keep them together when parts are drawn."
        )
    if duplicates["repeated_files"]:
        verb = "repeats" if duplicates["repeated_files"] == 1 else "repeat"
        found.append(
            f"{_number(duplicates['repeated_files'], 'file')} {verb} another of the same class, part and group."
        )
    if duplicates["most_bits"] < MOST_BITS:
        found.append(
            "So many images are alike that fewer pairs than usual were compared in detail (hashes of at most "
            f"{max(0, duplicates['most_bits'])} bits apart, not {MOST_BITS}): copies that were cut may be missed."
        )
    if audit["unreadable"]:
        name, fault = next(iter(audit["unreadable"].items()))
        found.append(f"{_number(len(audit['unreadable']), 'image')} cannot be decoded, such as {name}: {fault}.")
    return found


def _pictures(pairs: list[dict[str, Any]]) -> str:
    return "One picture stands" if len(pairs) == 1 else f"{len(pairs)} pairs of the same picture stand"


def _named(pairs: list[dict[str, Any]], most: int = 2) -> str:
    texts = [
        f"{pair['first']} ({_where(pair, 'first')}) is {pair['second']} ({_where(pair, 'second')})" for pair in pairs
    ]
    more = f", and {len(texts) - most} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more


def _where(pair: dict[str, Any], end: str) -> str:
    return ", ".join(filter(None, (pair[f"{end}_label"], pair[f"{end}_split"])))


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
