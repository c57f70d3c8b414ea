import dataclasses

from ctcov_tf.evaluation import calibrate, predictions, study_rule, threshold
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.study import StudyRule


def test_threshold_and_rule_come_from_validation_alone(run):
    run.calibration_file.unlink()
    chosen = calibrate.calibrate(run)
    assert run.read_json(run.calibration_file, "") == chosen
    validation = predictions.predict_split(run, "validation")
    rule = study_rule.choose_study_rule(validation)
    assert chosen == threshold.choose_threshold(validation) | {"study": dataclasses.asdict(rule)}
    assert rule.groups == validation["group_id"].nunique()
    assert rule.largest_group == validation["group_id"].value_counts().max()
    assert not run.predictions_file("test").exists()
    info = run.model_info()
    assert (info.threshold, info.study) == (chosen["threshold"], rule)
    assert isinstance(ModelInfo.from_json(info.to_json(), "here").study, StudyRule)
