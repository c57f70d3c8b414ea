"""PROBAST, the tool for the risk of bias of prediction models: its signalling questions, with what a run can say."""

from ctcov_tf.card import statements
from ctcov_tf.card.facts import EVALUATE
from ctcov_tf.card.sheet import Facts, Item, Sheet, author
from ctcov_tf.card.unknown import Unknown

CONFIG, CALIBRATION, METRICS, DATASET = "config.json", "calibration.json", "metrics.json", "dataset_info.json"


def _events(facts: Facts) -> str:
    positive = facts["model"]["positive"]
    if positive not in facts["data"]["classes"]:
        return statements.counts(facts)
    events = (
        f"{name}: {part['by_class'][positive]} of {part['images']} images, {part['groups']} groups in all"
        for name, part in facts["data"]["splits"].items()
    )
    return f"with {positive}: " + "; ".join(events)


def _all_included(facts: Facts) -> str:
    evaluation = facts["evaluation"]
    if isinstance(evaluation, Unknown):
        return EVALUATE
    judged = ", ".join(
        f"{part['images']} of {facts['data']['splits'][name]['images']} images of {name}"
        for name, part in evaluation["splits"].items()
    )
    return statements.joined(f"judged: {judged}", statements.left_out(facts))


def _alike(facts: Facts) -> str:
    return f"every image by the same steps: {statements.preprocessing(facts)}"


def _measures(facts: Facts) -> str:
    evaluation, calibration = facts["evaluation"], facts["calibration"]
    if isinstance(evaluation, Unknown):
        return EVALUATE
    scaled = not isinstance(calibration, Unknown) and "temperature" in calibration
    calibrated = "calibration is measured" if evaluation.get("calibration") else "calibration is not measured"
    temperature = "probabilities are scaled by a temperature" if scaled else "probabilities are not scaled"
    return f"discrimination: {statements.performance(facts)}; {calibrated}, {temperature}"


def _optimism(facts: Facts) -> str:
    return statements.joined(statements.selection(facts), statements.readings(facts), statements.partition(facts))


def _no_univariable_choice(facts: Facts) -> str:
    return "the network sees whole images; no predictor was selected"


def _no_coefficients(facts: Facts) -> str:
    return "the weights are those of model.keras, sha256 " + facts["files"]["model.keras"]


SHEET = Sheet(
    title="PROBAST",
    citation=(
        "Wolff RF, Moons KGM, Riley RD, et al. PROBAST: a tool to assess the risk of bias and applicability of "
        "prediction model studies. Annals of Internal Medicine 2019;170:51-58. doi:10.7326/M18-1376"
    ),
    note=(
        "Signalling questions by number, in words of this project. Facts are given; the judgement, low, high or "
        "unclear risk of bias, is left to the reader, as is applicability. The predictors are the pixels of the image."
    ),
    items=(
        Item(
            "1.1",
            "Participants: a design without bias",
            author("how patients were found: cohort, cases and controls, figures of papers"),
        ),
        Item("1.2", "Participants: who was in and who was out", author("criteria for patients")),
        Item("2.1", "Predictors: the same for everybody", _alike, CONFIG),
        Item(
            "2.2",
            "Predictors: blind to the outcome",
            author("whether images were chosen or windowed by somebody who knew the diagnosis"),
        ),
        Item(
            "2.3",
            "Predictors: at hand when the model is to be used",
            author("when in the course of disease the images were taken"),
        ),
        Item("3.1", "Outcome: well determined", author("how the diagnosis was established")),
        Item("3.2", "Outcome: a standard definition", author("the definition of the diagnosis")),
        Item("3.3", "Outcome: predictors have no part in it", author("whether the diagnosis rests on these images")),
        Item("3.4", "Outcome: the same for everybody", author("whether all patients had the same reference test")),
        Item(
            "3.5", "Outcome: blind to the predictors", author("whether the reference test was read blind to the images")
        ),
        Item(
            "3.6", "Outcome: a fitting interval after the predictors", author("time between image and reference test")
        ),
        Item("4.1", "Analysis: enough participants with the outcome", _events, CONFIG),
        Item("4.2", "Analysis: predictors handled fittingly", _alike, CONFIG),
        Item("4.3", "Analysis: all participants in it", _all_included, METRICS),
        Item(
            "4.4",
            "Analysis: missing data handled fittingly",
            author("which images or labels were missing before the dataset was made"),
        ),
        Item("4.5", "Analysis: no univariable selection", _no_univariable_choice, CONFIG),
        Item(
            "4.6",
            "Analysis: how patients were sampled is accounted for",
            author("the share of patients with the disease where the model is meant for"),
        ),
        Item("4.7", "Analysis: fitting measures of performance", _measures, METRICS),
        Item("4.8", "Analysis: overfitting and optimism", _optimism, CALIBRATION),
        Item("4.9", "Analysis: the final model is the one reported", _no_coefficients, CONFIG),
    ),
)
