import dataclasses
import json

import pytest

from ctcov_tf import errors
from ctcov_tf.reproduce import arms, settings
from ctcov_tf.reproduce.budget import Timing
from ctcov_tf.reproduce.protocol import Protocol
from ctcov_tf.reproduce.settings import Request, Settings

DEFAULT = Settings("table5", "deep_ct_net_tiny", Protocol("phantom/tiny", image_size=64, epochs=3))


def arms_of(chosen):
    return [arms.method(name, chosen.protocol) for name in (chosen.ours, "small_cnn")]


def settle(out, budget=None, table="table5", ours=None, seeds=2, **protocol):
    return settings.settle(out, Request(table, ours, protocol, budget), DEFAULT, arms_of, seeds)


@pytest.fixture
def timed(monkeypatch):
    """Names of the methods whose steps were timed; each takes 0.1 s."""
    names = []
    monkeypatch.setattr(
        settings.timing, "measure", lambda config, labels: names.append(type(config.model).__name__) or Timing(0.1)
    )
    return names


def test_settings_are_the_defaults_but_for_what_is_asked(tmp_path):
    found = settle(tmp_path, epochs=5, weights=None)
    assert found == dataclasses.replace(DEFAULT, protocol=dataclasses.replace(DEFAULT.protocol, epochs=5))
    assert json.loads((tmp_path / "settings.json").read_text())["protocol"]["epochs"] == 5


def test_a_later_call_takes_them_and_may_repeat_them(tmp_path):
    first = settle(tmp_path, epochs=5)
    assert settle(tmp_path) == first
    assert settle(tmp_path, epochs=5, dataset="phantom/tiny", ours="deep_ct_net_tiny") == first


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"epochs": 6}, "was begun with --epochs 5, not 6"),
        ({"dataset": "covid_ct"}, "was begun with --dataset phantom/tiny, not covid_ct"),
        ({"data_dir": "there"}, "was begun with --data-dir none, not there"),
        ({"ours": "small_cnn"}, "was begun with --ours deep_ct_net_tiny, not small_cnn"),
        ({"budget": 10}, "was begun with --budget none, not 10"),
        ({"table": "table3"}, "was begun with table table5, not table3"),
    ],
)
def test_other_settings_are_refused_in_one_line(tmp_path, asked, line):
    settle(tmp_path, epochs=5)
    with pytest.raises(errors.CtcovError) as refused:
        settle(tmp_path, **asked)
    assert str(refused.value) == f"{tmp_path}: {line}: leave it as it is, or choose another --out"


def test_what_can_not_be_trained_leaves_no_settings_behind(tmp_path):
    def refuse(chosen):
        raise errors.CtcovError(f"{chosen.protocol.dataset}: not built")

    with pytest.raises(errors.CtcovError, match="covid_ctt: not built"):
        settings.settle(tmp_path, Request("table5", None, {"dataset": "covid_ctt"}), DEFAULT, refuse, 2)
    assert not (tmp_path / "settings.json").exists()
    assert settle(tmp_path) == DEFAULT


def test_a_budget_chooses_size_and_epochs_once(tmp_path, timed, phantom_data_dir):
    found = settle(tmp_path, budget=20, data_dir=str(phantom_data_dir))
    assert timed == ["DeepCTNetConfig", "SmallCNNConfig"]
    # 3 steps and half a one of validation, at 96 px 0.1 s each
    assert found.seconds["small_cnn"] == pytest.approx(
        (found.protocol.image_size / 96) ** 2 * 0.1 * 3.5 * found.protocol.epochs
    )
    assert found.total == pytest.approx(4 * found.seconds["small_cnn"] / 0.85)
    assert found.total < 1200
    assert settle(tmp_path, budget=20) == settle(tmp_path) == found
    assert len(timed) == 2


@pytest.mark.parametrize("asked", [{"epochs": 3}, {"image_size": 64}])
def test_a_budget_and_what_it_chooses_exclude_each_other(asked):
    with pytest.raises(errors.CtcovError, match="--budget: chooses image size and epochs itself: leave out --"):
        Request("table5", None, asked, budget=5)


def test_one_part_is_not_enough():
    with pytest.raises(errors.CtcovError, match="--part1, --part2: one without the other"):
        Request("table6", None, {"part1": "runs/part1"})


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": 9}'])
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(errors.CtcovError, match=r"settings\.json: .*: choose another --out"):
        settle(tmp_path)
