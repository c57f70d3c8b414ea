import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf.evaluation import findings
from ctcov_tf.model_info import Labels
from ctcov_tf.statistics import bootstrap

LABELS = Labels(("edema", "pneumonia", "effusion"), "pneumonia", "findings")


@pytest.fixture
def predictions():
    """60 images of 30 groups; pneumonia is known of two thirds, effusion is never positive."""
    generator = np.random.default_rng(0)
    columns = {"group_id": [f"g{index // 2}" for index in range(60)]}
    for name in LABELS.outputs:
        target = generator.integers(0, 2, 60)
        columns |= {f"t_{name}": target, f"p_{name}": np.clip(generator.normal(0.4 + 0.2 * target, 0.2), 0, 1)}
    frame = pd.DataFrame(columns).assign(t_effusion=0)
    frame.loc[::3, "t_pneumonia"] = -1
    return frame


def test_masked_images_judge_nothing(predictions):
    found = findings.summarise(predictions, LABELS)["by_finding"]["pneumonia"]
    rows = predictions[predictions["t_pneumonia"] >= 0]
    assert (found["images"], found["positives"]) == (40, rows["t_pneumonia"].sum())
    assert found["auc"]["value"] == pytest.approx(sk.roc_auc_score(rows["t_pneumonia"], rows["p_pneumonia"]))
    expected = bootstrap.bootstrap(rows["t_pneumonia"], rows["p_pneumonia"], rows["group_id"], 0.5).intervals
    assert (found["auc"]["low"], found["auc"]["high"]) == expected["auc"]
    average = sk.average_precision_score(rows["t_pneumonia"], rows["p_pneumonia"])
    assert found["average_precision"]["value"] == pytest.approx(average)
    changed = predictions.assign(p_pneumonia=predictions["p_pneumonia"].where(predictions["t_pneumonia"] >= 0, 0.999))
    assert findings.summarise(changed, LABELS)["by_finding"]["pneumonia"] == found


def test_the_mean_leaves_out_what_is_undefined(predictions):
    found = findings.summarise(predictions, LABELS)
    assert found["by_finding"]["effusion"]["auc"]["value"] is None
    assert found["defined"] == 2
    aucs = [found["by_finding"][name]["auc"]["value"] for name in ("edema", "pneumonia")]
    mean = found["mean_auc"]
    assert mean["value"] == pytest.approx(np.mean(aucs))
    assert mean["low"] < mean["value"] < mean["high"]


def test_the_mean_of_one_finding_is_that_finding(predictions):
    one = Labels(("edema",), "edema", "findings")
    found = findings.summarise(predictions, one)
    assert found["mean_auc"] == pytest.approx(found["by_finding"]["edema"]["auc"])


@pytest.mark.parametrize("rows", [0, 1])
def test_few_images_are_no_error(predictions, rows):
    found = findings.summarise(predictions.head(rows), LABELS)
    assert found["mean_auc"] == {"value": None, "low": None, "high": None}
