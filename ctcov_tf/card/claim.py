"""CLAIM, the checklist for studies of artificial intelligence in medical imaging, in its update of 2024."""

from ctcov_tf.card import statements
from ctcov_tf.card.sheet import Facts, Item, Sheet, author

CONFIG, HISTORY, METRICS, DATASET = "config.json", "history.csv", "metrics.json", "dataset_info.json"


def _versions(facts: Facts) -> str:
    return ", ".join(f"{package} {version}" for package, version in facts["versions"].items())


def _initialisation(facts: Facts) -> str:
    weights = facts["settings"]["model"].get("weights", "none")
    backbone = "random weights" if weights == "none" else f"backbone from {weights}"
    begun, teachers = facts["run"]["started_from"], facts["settings"]["train"]["teachers"]
    return f"{backbone}, seed {facts['settings']['train']['seed']}" + "".join(
        [
            f"; started from a run of {begun['preset']} on {begun['trained_on']}" if begun else "",
            f"; targets shared with other networks ({len(teachers)})" if teachers else "",
        ]
    )


def _ensemble(facts: Facts) -> str:
    parts = facts["model"]["parts"]
    momentum = facts["settings"]["train"]["ema_momentum"]
    fused = f"likelihoods of {len(parts)} frozen networks join the features" if parts else "a single network"
    return f"{fused}; " + (
        f"weights averaged over training, momentum {momentum:g}" if momentum else "no averaged weights"
    )


def _subsets(facts: Facts) -> str:
    return statements.joined(facts["data"]["config"], statements.left_out(facts))


def _reproduction(facts: Facts) -> str:
    return (
        f"every setting, version and hash is listed in this card (data sha256 {facts['data']['sha256']}); "
        "of the study beyond it the author has to say where the protocol is"
    )


SHEET = Sheet(
    title="CLAIM 2024",
    citation=(
        "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in Medical Imaging (CLAIM): "
        "2024 update. Radiology: Artificial Intelligence 2024;6(4):e240300. doi:10.1148/ryai.240300"
    ),
    note=(
        "Items by number, in words of this project; the publication has the full wording. An answer says what the "
        "files of this run hold, and no more."
    ),
    items=(
        Item("1", "Title: says that this is AI, and which kind", statements.network, CONFIG),
        Item("2", "Abstract: design, methods, results, conclusions", author("a summary of the study")),
        Item(
            "3",
            "Background, and the role meant for the model",
            author("the clinical question and the role of the model"),
        ),
        Item("4", "Aims and hypotheses", author("aims and hypotheses, set before the data were seen")),
        Item("5", "Prospective or retrospective", author("how and when the images were collected")),
        Item("6", "Goal of the study", author("the goal, such as a model, a comparison or a trial")),
        Item("7", "Sources of the data", statements.source, DATASET),
        Item("8", "Who was included and excluded", author("criteria for patients; files left out are under item 10")),
        Item("9", "Pre-processing", statements.preprocessing, CONFIG),
        Item("10", "How subsets were selected", _subsets, DATASET),
        Item("11", "De-identification", author("how images were freed of names, and who checked it")),
        Item("12", "Missing data", author("which data were missing and what was done about them")),
        Item("13", "How images were acquired", author("scanners, protocols, reconstruction and windows")),
        Item("14", "Reference standard: how it was made", author("how the diagnosis of each image was established")),
        Item("15", "Reference standard: why this one", author("why this standard, and its weaknesses")),
        Item("16", "Reference standard: who annotated", author("who labelled the images, with what training")),
        Item("17", "How the test part was annotated", author("who labelled the test part, and whether blinded")),
        Item("18", "Agreement between annotators", author("agreement between and within readers")),
        Item("19", "How data were assigned to parts", statements.counts, CONFIG),
        Item("20", "Level at which the parts are disjoint", statements.partition, DATASET),
        Item("21", "Size of the test part, and why", author("the size that was planned, and how it was computed")),
        Item("22", "The model, described to be built again", statements.network, CONFIG),
        Item("23", "Software and versions", _versions, CONFIG),
        Item("24", "Initial weights", _initialisation, CONFIG),
        Item("25", "Training", statements.training, CONFIG),
        Item("26", "How the final model was chosen", statements.selection, HISTORY),
        Item("27", "Ensembles", _ensemble, CONFIG),
        Item("28", "Metrics of performance", statements.performance, METRICS),
        Item("29", "Measures of uncertainty", statements.uncertainty, METRICS),
        Item("30", "Robustness and sensitivity", statements.robustness, METRICS),
        Item("31", "Explanation", statements.explanation, METRICS),
        Item("32", "Evaluation on internal data", statements.performance, METRICS),
        Item("33", "Test on external data", author("results on images of another institution")),
        Item("34", "Registration of a trial", author("the registration, if this was a trial")),
        Item("35", "Cases included and excluded, counted", statements.counts, CONFIG),
        Item(
            "36", "Demography and clinical state, by part", author("age, sex and severity of the patients in each part")
        ),
        Item("37", "Performance with uncertainty", statements.performance, METRICS),
        Item("38", "Diagnostic accuracy and its precision", statements.performance, METRICS),
        Item("39", "Analysis of failures", statements.failures, METRICS),
        Item("40", "Limitations", statements.limits, METRICS),
        Item("41", "What follows for practice", author("what the results mean for practice, if anything")),
        Item("42", "Protocol and technical detail", _reproduction, CONFIG),
        Item("43", "Availability of software, model and data", author("where software, weights and data can be had")),
        Item("44", "Funding and the role of funders", author("funding and its role")),
    ),
)
