"""What a run is given after training: its threshold and its rule for studies, from validation images only."""

import dataclasses
from typing import Any

from ctcov_tf import files
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.evaluation.study_rule import choose_study_rule
from ctcov_tf.evaluation.summary import known
from ctcov_tf.evaluation.threshold import choose_threshold
from ctcov_tf.run_directory import RunDirectory


def calibrate(run: RunDirectory) -> dict[str, Any]:
    """Chooses both on the run's validation images and writes `calibration.json`.

    Args:
      run: a run whose `model.keras` is there.

    Returns:
      What `choose_threshold` gave, and as `study` what `choose_study_rule` gave, in plain JSON types.
    """
    predictions = known(predict_split(run, "validation"))
    rule = choose_study_rule(predictions)
    chosen = choose_threshold(predictions) | {"study": dataclasses.asdict(rule) if rule else None}
    files.write_json(run.calibration_file, chosen)
    return chosen
