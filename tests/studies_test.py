import dataclasses

import numpy as np
import pytest

from ctcov_tf import studies
from ctcov_tf.images import decode, series
from ctcov_tf.images.window import Window
from ctcov_tf.predictor import Prediction
from ctcov_tf.study import DEFAULT_HIGHEST, StudyRule
from tests import fixed_predictor
from tests.images import dicom_samples as samples

RULE = StudyRule(highest=2, threshold=0.4, rule="by hand", groups=10, largest_group=8)
INFO = dataclasses.replace(fixed_predictor.info(), modality="CT", study=RULE)


def mean_grey(data, name, stem):
    """A model whose probability is the mean grey level over 255."""
    probability = float(decode.decode_grey(data, name).mean() / 255)
    return Prediction(name, probability, "", 0.3, {}, {}, "mean grey"), {"stem": stem}


def one_series(files):
    return series.collect({f"file {number}": data for number, data in enumerate(files)}, "CT").series[0]


def answers(files, **given):
    complaints = []
    found = list(studies.answer_slices(one_series(files), mean_grey, complaints.append, **given))
    return found, complaints


def with_probabilities(*values):
    prediction = Prediction("it", 0.0, "", 0.3, {}, {}, "by hand")
    return [
        studies.SliceAnswer(number, None, None, dataclasses.replace(prediction, probability=value), {})
        for number, value in enumerate(values, start=1)
    ]


def test_slices_are_answered_in_order_with_their_own_pixels():
    files = samples.slices(5)
    found, complaints = answers(files[::-1])
    assert complaints == []
    assert [one.number for one in found] == [1, 2, 3, 4, 5]
    assert [one.position for one in found] == pytest.approx([0, 2.5, 5, 7.5, 10])
    assert [one.instance_number for one in found] == [1, 2, 3, 4, 5]
    probabilities = [one.prediction.probability for one in found]
    assert probabilities == sorted(probabilities)
    assert probabilities[0] == pytest.approx(550 / 1500, abs=0.01)
    study, number, place = found[1].prediction.name.split("/")
    assert (len(study), len(number), place) == (16, 16, "0002")
    assert found[1].drawn == {"stem": f"{study}-{number}-0002"}


def test_the_window_is_used():
    wide, _ = answers(samples.slices(1), window=Window(-800, 4000))
    assert wide[0].prediction.probability == pytest.approx(0.5, abs=0.02)


def test_frames_of_a_file_get_the_number_of_their_place():
    volume = np.stack([np.full((8, 8), level) for level in (-300.0, -900.0, -600.0)])
    found, _ = answers([samples.enhanced_ct(volume, [(0, 0, 9), (0, 0, 1), (0, 0, 5)])])
    by_number = {one.number: one.prediction.probability for one in found}
    assert by_number[1] < by_number[2] < by_number[3]


def test_a_slice_that_cannot_be_decoded_does_not_stop_the_others():
    files = samples.slices(4)
    files[2] = files[2][:-100]
    found, complaints = answers(files)
    assert [one.number for one in found] == [1, 2, 4]
    assert [str(error).partition(":")[0] for error in complaints] == ["file 2"]
    answer = studies.answer_series(one_series(files), found, INFO)
    assert (answer.slices, answer.answered) == (4, 3)
    assert "1 of 4 slices could not be read" in answer.remarks


def test_the_answer_of_a_series():
    found = studies.answer_series(one_series(samples.slices(4)), with_probabilities(0.1, 0.7, 0.3, 0.2), INFO)
    assert (found.maximum, found.mean_of_highest) == (0.7, pytest.approx(0.5))
    assert (found.highest, found.threshold, found.label) == (2, 0.4, "covid19")
    assert found.remarks == ()
    low = studies.answer_series(one_series(samples.slices(2)), with_probabilities(0.1, 0.2), INFO)
    assert low.label == "normal"


def test_a_model_without_a_rule_gives_no_decision():
    info = dataclasses.replace(INFO, study=None)
    found = studies.answer_series(one_series(samples.slices(5)), with_probabilities(0.9, 0.8, 0.4, 0.3, 0.1), info)
    assert found.mean_of_highest == pytest.approx(np.mean([0.9, 0.8, 0.4]))
    assert (found.maximum, found.highest, found.threshold, found.label) == (0.9, DEFAULT_HIGHEST, None, None)
    assert found.remarks == (studies.NO_RULE,)


def test_slices_without_a_probability_are_counted():
    found = studies.answer_series(one_series(samples.slices(3)), with_probabilities(None, 0.6, None), INFO)
    assert (found.answered, found.maximum, found.label) == (1, 0.6, "covid19")
    assert found.remarks == ("2 of 3 slices are unlike the images that the model knows",)
    none = studies.answer_series(one_series(samples.slices(1)), with_probabilities(None), INFO)
    assert (none.answered, none.maximum, none.mean_of_highest, none.label) == (0, None, None, None)


def test_more_slices_than_the_rule_has_seen_are_remarked_upon():
    found = studies.answer_series(one_series(samples.slices(9)), with_probabilities(*[0.1] * 9), INFO)
    assert any("groups of at most 8 images: of 9 slices" in remark for remark in found.remarks)


def test_a_study_is_what_its_highest_series_is():
    first = studies.answer_series(one_series(samples.slices(1)), with_probabilities(0.2), INFO)
    second = dataclasses.replace(first, series="other", mean_of_highest=0.6, maximum=0.8, label="covid19")
    empty = dataclasses.replace(first, series="empty", mean_of_highest=None, maximum=None, label=None)
    found = studies.answer_study("study", [empty, first, second])
    assert (found.decided_by, found.maximum, found.mean_of_highest, found.label) == ("other", 0.8, 0.6, "covid19")
    assert found.series == (empty, first, second)
    assert studies.answer_study("study", [empty]).label is None
