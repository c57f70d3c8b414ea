"""What the checks of the heat maps mean, in words computed from their numbers."""

from typing import Any

ALIKE = 0.5  # rank correlation from which two maps are called alike


def remarks(found: dict[str, Any] | None) -> list[str]:
    """Remarks on the checks.

    Args:
      found: what `checks.check` gave; None where heat maps were not checked.

    Returns:
      Sentences for a reader of the report; none for a number that has no interval.
    """
    if not found:
        return []
    if "left_out" in found:
        return [f"The heat maps are not checked: {found['left_out']}."]
    sentences = [_on_weights(found["randomisation"]), *_on_evidence(found["deletion"]), _on_lungs(found["lungs"])]
    return [sentence for sentence in sentences if sentence]


def _on_weights(found: dict[str, Any]) -> str | None:
    last = found["stages"][-1]
    correlation = last["rank_correlation"]
    if correlation["low"] is None:
        return None
    text = (
        f"With random weights in {last['layers']} layers the heat maps keep a rank correlation of "
        f"{correlation['value']:.2f} (95 % interval {correlation['low']:.2f} to {correlation['high']:.2f}) with those "
        "of the trained network"
    )
    if correlation["low"] >= ALIKE:
        return f"{text}: they stay alike without what was learnt, and are no explanation of it."
    if correlation["high"] < ALIKE:
        return f"{text}: they depend on what was learnt{_in_common(found['other_images'])}."
    return f"{text}: whether they depend on what was learnt can't be told here."


def _in_common(others: dict[str, Any] | None) -> str:
    """What the maps of different images have in common, where it is more than chance."""
    common = others["rank_correlation"] if others else None
    if not common or common["low"] is None or common["low"] <= 0:
        return ""
    return (
        f"; but the maps of two different images have a rank correlation of {common['value']:.2f} (95 % interval "
        f"{common['low']:.2f} to {common['high']:.2f}), so that much of a map is not about its image"
    )


def _on_evidence(found: dict[str, Any]) -> list[str]:
    differences = {kind: found[kind]["difference"] for kind in ("deletion", "insertion")}
    if any(one["low"] is None for one in differences.values()):
        return []
    grey, blurred = found["deletion"]["curve"][-1], found["insertion"]["curve"][0]
    whole = found["deletion"]["curve"][0]
    sentences = []
    if grey >= whole:
        del differences["deletion"]
        sentences.append(
            f"The network answers {grey:.2f} to nothing but grey, {whole:.2f} to the whole images: deletion can't "
            "judge the maps here."
        )
    if blurred >= whole:
        del differences["insertion"]
        sentences.append(
            f"The network answers {blurred:.2f} to the blurred images, {whole:.2f} to the whole ones: insertion can't "
            "judge the maps here."
        )
    return sentences + _against_lot(differences)


def _against_lot(differences: dict[str, dict[str, float]]) -> list[str]:
    """The verdict on the kinds that can judge the maps."""
    if not differences:
        return []
    better = [kind for kind, one in differences.items() if one["low"] > 0]
    worse = [kind for kind, one in differences.items() if one["high"] < 0]
    gaps = ", ".join(
        f"{kind} {one['value']:+.3f}, 95 % interval {one['low']:+.3f} to {one['high']:+.3f}"
        for kind, one in differences.items()
    )
    text = f"Pixels in the order of the heat map against patches by lot (area between the curves: {gaps})"
    if len(better) == 2:
        return [f"{text}: what the maps mark carries the answer."]
    if worse:
        return [f"{text}: in {' and '.join(worse)} the maps do worse than lot, so they mark the wrong places."]
    if better:
        return [f"{text}: better than lot in {better[0]} only, which is weak support for the maps."]
    return [f"{text}: not shown to be better than lot, so the maps are no proof of what the model reads."]


def _on_lungs(found: dict[str, Any]) -> str | None:
    if "left_out" in found or found["difference"]["low"] is None:
        return None
    share, area, difference = found["share"]["value"], found["area"]["value"], found["difference"]
    text = (
        f"{share:.0%} of the heat maps' mass lies in the lungs, which are {area:.0%} of the image "
        f"({found['images']} images in which lungs were found; difference {difference['value']:+.2f}, 95 % interval "
        f"{difference['low']:+.2f} to {difference['high']:+.2f})"
    )
    if difference["low"] > 0:
        return f"{text}: more than a map without any preference would have there."
    if difference["high"] < 0:
        return f"{text}: less than a map without any preference, so the model reads much outside of the lungs."
    return f"{text}: no more than a map without any preference would have there."
