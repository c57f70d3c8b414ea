"""Columns of the tables that a screening writes, and rows of them."""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import json
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from ctcov_tf import RESEARCH_USE, __version__, errors
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.predictor import Prediction
from ctcov_tf.screening.places import Place

FORMAT = 1
_KEY = b"ctcov"

Kind = Literal["unreadable", "unsuitable"]

QUARANTINE = pa.schema(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("study", pa.string()),
        ("series", pa.string()),
        ("kind", pa.string()),
        ("reason", pa.string()),
    ]
)
"""Files without an answer. `kind` is `unreadable`, or `unsuitable` for whole files that are not for the model."""

KEPT = pa.schema([("path", pa.string()), ("sha256", pa.string())])
"""Files whose content was answered before."""

STUDIES = pa.schema(
    [
        ("study", pa.string()),
        ("decided_by", pa.string()),
        ("series", pa.int32()),
        ("slices", pa.int32()),
        ("answered", pa.int32()),
        ("maximum", pa.float64()),
        ("mean_of_highest", pa.float64()),
        ("highest", pa.int32()),
        ("threshold", pa.float64()),
        ("label", pa.string()),
        ("remarks", pa.list_(pa.string())),
    ]
)
"""Answers of studies: that of the series with the highest mean; `slices` and `answered` are that series'."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What answers depend on; it travels in every table, and tables of other settings are never mixed.

    Attributes:
      model: name of the model.
      sha256: of its files.
      window: centre and width of CT's window, Hounsfield units.
      key: sign of the key that pseudonyms are made with; tells nothing of the key.
    """

    model: str
    sha256: str
    window: tuple[float, float]
    key: str

    def into(self, schema: pa.Schema) -> pa.Schema:
        """A schema that says these settings, with the notice."""
        content = {
            "format": FORMAT,
            "version": __version__,
            **dataclasses.asdict(self),
            "notice": RESEARCH_USE,
        }
        return schema.with_metadata({_KEY: json.dumps(content).encode()})

    def check(self, schema: pa.Schema, place: str) -> bool:
        """Holds a table that was written before to these settings.

        Args:
          schema: of the table.
          place: what to call it.

        Returns:
          Whether its pseudonyms are of the same key.

        Raises:
          CtcovError: it is no table of a screening, or of another model or window.
        """
        try:
            content = json.loads((schema.metadata or {})[_KEY])
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']}")
            found = Settings(content["model"], content["sha256"], tuple(content["window"]), content["key"])
        except (KeyError, ValueError, TypeError) as error:
            raise _foreign(place) from error
        if found.sha256 != self.sha256:
            raise errors.CtcovError(
                f"{place}: holds answers of another model ({found.model}): name another --out, or that model"
            )
        if found.window != self.window:
            raise errors.CtcovError(
                f"{place}: holds answers through another window: name another --out, or that window"
            )
        return found.key == self.key


def answers(info: ModelInfo) -> pa.Schema:
    """Columns of the answers, one row a slice or image.

    Args:
      info: the model's record; its outputs, likelihoods and operating points have a column each.
    """
    text, number = pa.string(), pa.float64()
    outputs = info.labels.outputs if len(info.labels.outputs) > 1 else ()
    return pa.schema(
        [
            ("path", text),
            ("sha256", text),
            ("frame", pa.int32()),
            ("study", text),
            ("series", text),
            ("instance", text),
            ("instance_number", pa.int64()),
            ("position_mm", number),
            ("probability", number),
            ("label", text),
            ("threshold", number),
            *((f"probability_{output}", number) for output in outputs),
            *((likelihood, number) for part in info.parts for likelihood in part.likelihoods),
            *((f"label_{point.name}", text) for point in info.operating_points),
            ("prediction_set", pa.list_(text)),
            ("coverage", number),
            ("in_distribution", pa.bool_()),
            ("ood_score", number),
            ("reason", text),
            ("remarks", pa.list_(text)),
        ]
    )


def answer(place: Mapping[str, Any], found: Prediction) -> dict[str, Any]:
    """A row of the answers.

    Args:
      place: `path`, `sha256` and, of a slice, `frame`, `study`, `series`, `instance`, `instance_number`,
        `position_mm` and `remarks`.
      found: the answer.
    """
    outputs = found.probabilities if len(found.probabilities) > 1 else {}
    return {
        **place,
        "probability": found.probability,
        "label": found.label,
        "threshold": found.threshold,
        **{f"probability_{name}": value for name, value in outputs.items()},
        **found.likelihoods,
        **{f"label_{name}": label for name, label in found.operating_points.items()},
        "prediction_set": found.prediction_set,
        "coverage": found.coverage,
        "in_distribution": found.in_distribution,
        "ood_score": found.ood_score,
        "reason": found.reason,
    }


def read_answers(
    place: Place, settings: Settings, columns: Sequence[str] | None = None
) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Reads a table of answers that was written before.

    Args:
      place: the table.
      settings: of the answers now.
      columns: those to read; all if None.

    Yields:
      Some rows, and whether their pseudonyms are of the same key.

    Raises:
      CtcovError: it is no table of a screening, or of another model or window.
    """
    with place.fs.open(place.path, "rb") as file:
        try:
            table = pq.ParquetFile(file)
        except pa.ArrowException as error:
            raise _foreign(str(place)) from error
        same_key = settings.check(table.schema_arrow, str(place))
        for batch in table.iter_batches(batch_size=4096, columns=columns):
            yield batch, same_key


def _foreign(place: str) -> errors.CtcovError:
    return errors.CtcovError(f"{place}: not written by this version of ctcov screen: name another --out")
