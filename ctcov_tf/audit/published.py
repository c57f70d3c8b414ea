"""What publishers state of their collections: images by part and class, to hold a copy against."""

from collections.abc import Iterable

from ctcov_tf.audit.collection import Published

TABLES = (
    Published(
        "COVID-CT's official lists, Data-split/ (Zhao et al., arXiv 2003.13865)",
        {
            "train": {"COVID": 191, "NonCOVID": 234},
            "validation": {"COVID": 60, "NonCOVID": 58},
            "test": {"COVID": 98, "NonCOVID": 105},
        },
    ),
    Published(
        "Table II of the paper that introduces CT-COV19",
        {
            "train": {"COV": 6120, "OtherPneumonia": 543, "Normal": 3060},
            "validation": {"COV": 680, "OtherPneumonia": 60, "Normal": 340},
            "test": {"COV": 1700, "OtherPneumonia": 151, "Normal": 851},
        },
    ),
    Published(
        "the collection's README: ieee8023 (arXiv 2006.11988) and the NIH films of DarkCovidNet "
        "(Ozturk et al., Comput Biol Med 121:103792)",
        {"all": {"Covid-19": 427, "No_findings": 513, "Pneumonia": 580}},
    ),
    Published(
        "Kermany et al., Mendeley Data, doi 10.17632/rscbjbr9sj.2",
        {"train": {"NORMAL": 1349, "PNEUMONIA": 3883}, "test": {"NORMAL": 234, "PNEUMONIA": 390}},
    ),
)
"""Counts of folders as they are published; datasets that `tfds build` made bring their own."""


def of_classes(classes: Iterable[str]) -> Published | None:
    """The collection whose classes have these names, exactly; None where none or several do."""
    names = set(classes)
    found = [table for table in TABLES if all(set(counts) == names for counts in table.images.values())]
    return found[0] if len(found) == 1 else None
