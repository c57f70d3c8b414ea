"""One table of labels across sources: what each means, what it stands for, and which sources may be compared.

Builders write their part of it into the metadata of a dataset as `stands_for`, so that its reader needs nothing else.
"""

from collections.abc import Iterator
import dataclasses

COVID19, OTHER_PNEUMONIA, NORMAL = "covid19", "other_pneumonia", "normal"
NO_LESION, UNKNOWN = "no_lesion", "unknown"
COMMON = (COVID19, OTHER_PNEUMONIA, NORMAL, NO_LESION, UNKNOWN)
"""The labels that those of all sources stand for.

`no_lesion` is an image without a lesion of a patient who has COVID-19, and so not `normal`; `unknown` can be anything.
"""


@dataclasses.dataclass(frozen=True)
class Source:
    """A dataset.

    Attributes:
      modality: `CT` or `CXR`.
      people: who was examined: `adults` or `children`.
      mixed: whether every class is of the same source, so that where an image comes from does not tell the class.
    """

    modality: str
    people: str
    mixed: bool


@dataclasses.dataclass(frozen=True)
class Label:
    """A label of a dataset.

    Attributes:
      dataset: its name.
      label: as the dataset has it.
      stands_for: one of `COMMON`.
      means: what was found, and by whom.
    """

    dataset: str
    label: str
    stands_for: str
    means: str


SOURCES = {
    "covid_ct": Source("CT", "adults", mixed=False),
    "ctcov19": Source("CT", "adults", mixed=False),
    "mosmed": Source("CT", "adults", mixed=True),
    "ct_lesions": Source("CT", "adults", mixed=False),
    "covid_ct_md": Source("CT", "adults", mixed=True),
    "covid_cxr": Source("CXR", "adults", mixed=False),
    "siim_covid19": Source("CXR", "adults", mixed=True),
    "chest_xray_pneumonia": Source("CXR", "children", mixed=True),
}

LABELS = (
    Label("covid_ct", "covid19", COVID19, "the paper that the picture is of says so"),
    Label("covid_ct", "non_covid19", UNKNOWN, "anything else, other diseases of the chest too"),
    Label("ctcov19", "covid19", COVID19, "the archive's class of the patient"),
    Label("ctcov19", "other_pneumonia", OTHER_PNEUMONIA, "the archive's class of the patient"),
    Label("ctcov19", "normal", NORMAL, "the archive's class of the patient"),
    Label("mosmed", "covid19", COVID19, "ground glass in the study (CT-1 to CT-4), maybe not in the slice"),
    Label("mosmed", "normal", NORMAL, "no sign of viral pneumonia in the study (CT-0)"),
    Label("ct_lesions", "lesion", COVID19, "a lesion was drawn in this slice of a patient with COVID-19"),
    Label("ct_lesions", "no_lesion", NO_LESION, "none was drawn in this slice; the patient has COVID-19"),
    Label("covid_ct_md", "covid19", COVID19, "the patient's test, signs and scan; maybe no sign in the slice"),
    Label("covid_ct_md", "other_pneumonia", OTHER_PNEUMONIA, "acquired in the community; maybe no sign in the slice"),
    Label("covid_ct_md", "normal", NORMAL, "the patient's tests and scan"),
    Label("covid_cxr", "covid19", COVID19, "finding in the collection's table"),
    Label("covid_cxr", "other_pneumonia", OTHER_PNEUMONIA, "finding in the table; of NIH by text mining of reports"),
    Label("covid_cxr", "normal", NORMAL, "no finding in the table; of NIH by text mining of reports"),
    Label("siim_covid19", "typical", COVID19, "the film looks like COVID-19 to radiologists; no test"),
    Label("siim_covid19", "negative", NORMAL, "no pneumonia on the film; the patient may have COVID-19"),
    Label("siim_covid19", "indeterminate", UNKNOWN, "an opacity that may be COVID-19 or another disease"),
    Label("siim_covid19", "atypical", UNKNOWN, "an opacity that looks like another disease, which is not proven"),
    Label("chest_xray_pneumonia", "pneumonia", OTHER_PNEUMONIA, "bacterial or viral, of children, before COVID-19"),
    Label("chest_xray_pneumonia", "normal", NORMAL, "of children"),
)


def stands_for(dataset: str) -> dict[str, str]:
    """What the labels of a dataset stand for, by label.

    Args:
      dataset: name of its builder, with or without config and version.

    Raises:
      KeyError: the dataset is not in the table.
    """
    name = _source(dataset)
    return {one.label: one.stands_for for one in LABELS if one.dataset == name}


def why_not_compared(one: str, other: str) -> str:
    """Why results on two datasets, or images of both in one training, say nothing about each other.

    Args:
      one: name of a builder.
      other: name of another.

    Returns:
      The reason; empty where they may be compared, in the labels that stand for the same.

    Raises:
      KeyError: a dataset is not in the table.
    """
    first, second = SOURCES[_source(one)], SOURCES[_source(other)]
    if first.modality != second.modality:
        return f"{one} is {first.modality}, {other} is {second.modality}"
    if first.people != second.people:
        return (
            f"{one} is of {first.people}, {other} of {second.people}: age tells the source, and so may tell the class"
        )
    shared = ({*stands_for(one).values()} & {*stands_for(other).values()}) - {UNKNOWN}
    return "" if shared else f"{one} and {other} have no label that stands for the same"


def as_markdown() -> Iterator[str]:
    """The table for people, line by line."""
    yield "| source | images | its label | means | stands for |"
    yield "| --- | --- | --- | --- | --- |"
    before = ""
    for one in LABELS:
        source = SOURCES[one.dataset]
        cells = ("", "") if one.dataset == before else (f"`{one.dataset}`", f"{source.modality}, {source.people}")
        before = one.dataset
        yield "| " + " | ".join((*cells, f"`{one.label}`", one.means, f"`{one.stands_for}`")) + " |"


def _source(dataset: str) -> str:
    name = dataset.partition(":")[0].partition("/")[0]
    if name not in SOURCES:
        raise KeyError(f"{dataset}: in no table of labels: add it to tfds_ctcov19/labels.py")
    return name
