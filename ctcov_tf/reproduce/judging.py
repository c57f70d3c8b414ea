"""How the runs of a table are judged: on the test part of their own dataset, or on that of another."""

import dataclasses
from typing import Any

import pandas as pd

from ctcov_tf.config import DataConfig
from ctcov_tf.evaluation import elsewhere, protocols
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.evaluation.summary import known
from ctcov_tf.run_directory import RunDirectory

SPLIT = "test"


@dataclasses.dataclass(frozen=True)
class Judging:
    """Reads the test part once for each run; what it found stays with the run.

    Attributes:
      reason: what the reading is for, as it is logged.
      other: the dataset whose test part judges; None: the run's own.
      explain: whether example cases and heat maps are drawn and checked as well.
    """

    reason: str
    other: DataConfig | None = None
    explain: bool = False

    def is_done(self, run: RunDirectory) -> bool:
        """Whether the run has been judged so."""
        if self.other:
            return elsewhere.is_evaluated(run, self.other)
        return run.metrics_file.is_file() and SPLIT in run.read_json(run.metrics_file, "evaluate again")["splits"]

    def judge(self, run: RunDirectory) -> None:
        """Evaluates the run and logs the reading of the test part."""
        if self.other:
            elsewhere.evaluate(run, self.other, reason=self.reason)
        else:
            protocols.evaluate(run, reason=self.reason, explain=self.explain)

    def metrics(self, run: RunDirectory) -> dict[str, Any]:
        """What the evaluation has written."""
        path = elsewhere.metrics_file(run, self.other) if self.other else run.metrics_file
        return run.read_json(path, "evaluate again")

    def predictions(self, run: RunDirectory) -> pd.DataFrame:
        """Rows of the test part whose target is known, as the evaluation has kept them."""
        return known(elsewhere.predict(run, self.other) if self.other else predict_split(run, SPLIT))
