import numpy as np
import pandas as pd
import pytest

from ctcov_tf.evaluation.explanation import sample
from ctcov_tf.input_pipeline import evaluation_batches
from ctcov_tf.model_info import Labels

BINARY = Labels(("covid19", "normal"), "covid19", "binary")
FINDINGS = Labels(("edema", "pneumonia"), "pneumonia", "findings")


@pytest.fixture
def predictions():
    """50 images of 10 groups, every other one decided positive."""
    numbers = np.arange(50)
    return pd.DataFrame({"probability": np.where(numbers % 2, 0.9, 0.1), "group_id": (numbers % 10).astype(str)})


def test_takes_positive_decisions_group_after_group(predictions):
    chosen, rule = sample.choose(predictions, 0.5, BINARY, most=5)
    assert (predictions["probability"][chosen] > 0.5).all()
    assert predictions["group_id"][chosen].is_unique
    assert chosen == sorted(chosen)
    assert rule.startswith("at most 5 images decided covid19")
    assert chosen == sample.choose(predictions, 0.5, BINARY, most=5)[0]
    assert len(sample.choose(predictions, 0.5, BINARY)[0]) == 25


@pytest.mark.parametrize(
    ("labels", "threshold", "whose"), [(BINARY, 0.95, "since none is decided"), (FINDINGS, 0.5, "of the part")]
)
def test_takes_all_where_decisions_do_not_matter(predictions, labels, threshold, whose):
    chosen, rule = sample.choose(predictions, threshold, labels)
    assert len(chosen) == 32
    assert predictions["probability"][chosen].nunique() == 2
    assert whose in rule


def test_reads_what_the_network_sees(tiny_config):
    chosen = sample.read(tiny_config, "test", [3, 20])
    batches = evaluation_batches(tiny_config, BINARY, "test").unbatch()
    seen = np.stack([image for image, _ in batches.as_numpy_iterator()])
    np.testing.assert_array_equal(chosen.seen, seen[[3, 20]])
    assert [image.shape for image in chosen.grey] == [(96, 96)] * 2
    kept = chosen.only(np.array([False, True]))
    assert (len(kept.seen), kept.groups) == (1, chosen.groups[1:])
