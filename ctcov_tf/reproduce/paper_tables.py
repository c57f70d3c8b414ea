"""The paper's Tables III to VI as data: which method reached what, on which images, and where it contradicts itself."""

import dataclasses

METRICS = ("precision", "recall", "f1", "auc", "accuracy")
"""Metrics of the four tables, in their order."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One method of a table.

    Attributes:
      preset: name of its preset here.
      figures: what the paper gives, by the names of `METRICS`; a metric that it does not give is not there.
      note: what the paper leaves open about this row, or says otherwise elsewhere.
      elsewhere: why the paper's own figure is no measurement like the other rows'; None where nothing says so.
    """

    preset: str
    figures: dict[str, float]
    note: str | None = None
    elsewhere: str | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the paper.

    Attributes:
      name: as the command calls it.
      number: as the paper does.
      caption: what it compares.
      dataset: TFDS name of what the methods are trained on.
      judged_on: TFDS name of the dataset whose test part judges them; None where it is that of `dataset`.
      ours: preset of the paper's own network.
      rows: the compared methods, the paper's own last.
      figure: number of the paper's figure of the same ROC curves; None where it has none.
      other_images: why the paper's images cannot be the ones here; None where the test part is the same.
      notes: what a reader of the table has to know.
    """

    name: str
    number: str
    caption: str
    dataset: str
    ours: str
    rows: tuple[Row, ...]
    judged_on: str | None = None
    figure: int | None = None
    other_images: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """Presets of the compared methods, without the paper's own."""
        return tuple(row.preset for row in self.rows if row.preset != self.ours)

    def row(self, preset: str) -> Row | None:
        """What the paper says of a method, of any preset of its own network too; None where it is not in this table."""
        if preset.startswith(self.ours.removesuffix("_slim")):
            preset = self.ours
        return next((row for row in self.rows if row.preset == preset), None)


def _figures(*values: float | None, names: tuple[str, ...] = METRICS) -> dict[str, float]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


_WITHOUT_ACCURACY = METRICS[:4]
_TABLE_4 = ("f1", "auc", "accuracy")
_OF_46 = "the paper quotes reference 46, whose networks were trained on COVID-CT itself"
_OTHER_CT = "the released archive holds 7610 images, Table II counts 13505, and the paper's split is not published"
_UNSTATED = "the paper does not say whether it measured this row or quotes it"

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "table3",
            "III",
            "CT-COV19, trained and judged on it",
            dataset="ctcov19/grouped",
            ours="deep_ct_net_slim",
            figure=5,
            rows=(
                Row("covnet", _figures(0.750, 0.810, 0.779, 0.842, names=_WITHOUT_ACCURACY)),
                Row("dl_system", _figures(0.769, 0.750, 0.759, 0.804, names=_WITHOUT_ACCURACY)),
                Row("hybrid_3d", _figures(0.808, 0.797, 0.802, 0.843, names=_WITHOUT_ACCURACY)),
                Row("unet_plus_plus", _figures(0.724, 0.746, 0.735, 0.826, names=_WITHOUT_ACCURACY)),
                Row("deep_ct_net_slim", _figures(0.720, 0.858, 0.783, 0.886, names=_WITHOUT_ACCURACY)),
            ),
            other_images=_OTHER_CT,
            notes=(
                "In the paper's table Hybrid-3D has the better F-measure, and Deep-CT-Net the lowest precision of all.",
                "The archive has no patient ids: a split of it can't be shown to keep patients apart.",
            ),
        ),
        Table(
            "table4",
            "IV",
            "trained on CT-COV19, judged on the test part of COVID-CT without fine-tuning",
            dataset="ctcov19/grouped",
            judged_on="covid_ct",
            ours="deep_ct_net_slim",
            rows=(
                Row("densenet169", _figures(0.760, 0.901, 0.795, names=_TABLE_4), elsewhere=_OF_46),
                Row("resnet50", _figures(0.746, 0.864, 0.774, names=_TABLE_4), elsewhere=_OF_46),
                Row(
                    "deep_ct_net_slim",
                    _figures(0.801, 0.920, 0.860, names=_TABLE_4),
                    "this AUC without training on COVID-CT (0.920) is above Table V's with it (0.899)",
                ),
            ),
            other_images=f"trained on other images: {_OTHER_CT}",
            notes=(
                "Here every method is trained on CT-COV19; in the paper only Deep-CT-Net was.",
                "Thresholds come from the validation part of CT-COV19; no image of COVID-CT chose anything.",
                "Both collections gather published pictures; whether one stands in both is not checked here.",
            ),
        ),
        Table(
            "table5",
            "V",
            "COVID-CT, trained and judged on its official split",
            dataset="covid_ct",
            ours="deep_ct_net_slim",
            rows=(
                Row("xdnn", _figures(0.897, 0.886, 0.892, 0.886, names=_WITHOUT_ACCURACY), _UNSTATED),
                Row(
                    "densenet169",
                    _figures(0.970, 0.762, 0.853, 0.824, names=_WITHOUT_ACCURACY),
                    "the paper calls this row the baseline of reference 46 and names no network: DenseNet-169 here; "
                    "Table IV gives that network an AUC of 0.901",
                ),
                Row("light_cnn", _figures(0.817, 0.850, 0.833, None, names=_WITHOUT_ACCURACY), _UNSTATED),
                Row("deep_ct_net_slim", _figures(0.884, 0.905, 0.894, 0.899, names=_WITHOUT_ACCURACY)),
            ),
            notes=(
                "With 98 and 105 test images an interval on an AUC of 0.9 is about 0.04 wide on either side, more by "
                "patient: the paper's rows can't be told apart.",
            ),
        ),
        Table(
            "table6",
            "VI",
            "chest radiographs, COVID-19 against other pneumonia and normal",
            dataset="covid_cxr",
            ours="deep_cxr_net_slim",
            figure=8,
            rows=(
                Row(
                    "caad",
                    _figures(0.943, 0.915, 0.924, 0.920, 0.930),
                    "the paper's precision and recall give F 0.929, not 0.924",
                ),
                Row("covid_resnet", _figures(0.926, 0.916, 0.920, 0.916, 0.916)),
                Row("hall", _figures(0.898, 0.894, 0.896, 0.889, 0.889)),
                Row(
                    "deep_cxr_net_slim",
                    _figures(0.987, 0.982, 0.984, 0.983, 0.983),
                    "the abstract gives the AUC as 0.984, which is the F-measure here",
                ),
            ),
            other_images="the paper drew its split of ieee8023 by lot and does not say which films, nor where the 100 "
            "added films come from",
            notes=(
                "The paper splits by image, so that patients may stand in both parts: --dataset covid_cxr/random does "
                "the same; covid_cxr splits by patient.",
            ),
        ),
    )
}
"""Every table by the name that the command gives it."""
