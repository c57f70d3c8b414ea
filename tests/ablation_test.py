import dataclasses
import json

from PIL import Image
import pytest

from ctcov_tf import RESEARCH_USE, ablation, config, errors, run_directory
from ctcov_tf.evaluation import figures, predictions, protocols
from ctcov_tf.reproduce import cells
from ctcov_tf.training import train


@pytest.fixture(scope="module")
def small_config(tiny_fusion_config):
    model = dataclasses.replace(tiny_fusion_config.model, blocks=(1, 1, 1), attention="none")
    return dataclasses.replace(tiny_fusion_config, model=model, train=config.TrainConfig(epochs=1, batch_size=12))


@pytest.fixture(scope="module")
def ablated(small_config, tmp_path_factory):
    """Folder and result of an ablation with two arms."""
    out = tmp_path_factory.mktemp("ablation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "DPI", 50)
        evaluate = protocols.evaluate
        patch.setattr(protocols, "evaluate", lambda run, **given: evaluate(run, **{**given, "explain": False}))
        return out, ablation.ablate("deep_cxr_net_tiny", small_config, out, parts=("none", "part1"))


def test_arms_differ_in_their_parts_alone(ablated, small_config):
    out, found = ablated
    assert list(found["arms"]) == ["part 3 alone", "with part 1"]
    alone, fused = (run_directory.load(out / name) for name in ("none", "part1"))
    assert not alone.parts
    assert [part.name for part in fused.parts] == ["part1"]
    assert dataclasses.replace(alone.config, model=fused.config.model) == fused.config
    assert alone.config.model == dataclasses.replace(small_config.model, parts="none")


def test_files_hold_the_comparison(ablated):
    out, found = ablated
    assert json.loads((out / "ablation.json").read_text()) == json.loads(json.dumps(found))
    page = (out / "ablation.md").read_text()
    for expected in (RESEARCH_USE, "part 3 alone", "with part 1", "ablation.png", "synthetic"):
        assert expected in page
    auc = found["arms"]["with part 1"]["metrics"]["auc"]
    assert f"{auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}]" in page
    with Image.open(out / "ablation.png") as picture:
        assert picture.text["Description"] == RESEARCH_USE


def test_difference_is_that_of_the_kept_probabilities(ablated):
    out, found = ablated
    alone, fused = (predictions.predict_split(run_directory.load(out / name), "test") for name in ("none", "part1"))
    value = found["arms"]["with part 1"]["auc_difference"]["value"]
    aucs = [arm["metrics"]["auc"]["value"] for arm in found["arms"].values()]
    assert value == pytest.approx(aucs[1] - aucs[0])
    assert not alone["probability"].equals(fused["probability"])
    assert found["arms"]["part 3 alone"]["auc_difference"] is None


def test_what_is_finished_is_not_done_again(ablated, small_config, monkeypatch):
    out, found = ablated
    monkeypatch.setattr(train, "train", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(protocols, "evaluate", lambda *_, **__: pytest.fail("read again"))
    assert ablation.ablate("deep_cxr_net_tiny", small_config, out, parts=("none", "part1")) == found
    for name in ("none", "part1"):
        assert len(run_directory.load(out / name).test_readings_file.read_text().splitlines()) == 1
    assert all(arm["seconds"] > 0 for arm in found["arms"].values())


def test_an_interrupted_arm_goes_on(small_config, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(train, "train", lambda run: bool(calls.append(run.path.name)))
    with pytest.raises(KeyboardInterrupt):
        ablation.ablate("deep_cxr_net_tiny", small_config, tmp_path, parts=("none",))
    assert not (tmp_path / "none" / "calibration.json").exists()
    first = cells.seconds(tmp_path / "none")
    with pytest.raises(KeyboardInterrupt):
        ablation.ablate("deep_cxr_net_tiny", small_config, tmp_path, parts=("none",))
    assert calls == ["none", "none"]
    assert cells.seconds(tmp_path / "none") > first


def test_an_arm_of_other_settings_is_refused(ablated, small_config):
    out, _ = ablated
    other = dataclasses.replace(small_config, train=dataclasses.replace(small_config.train, seed=5))
    with pytest.raises(errors.CtcovError, match=r"none: was trained with another --seed: choose another --out"):
        ablation.ablate("deep_cxr_net_tiny", other, out)


def test_a_missing_part_shows_before_anything_is_trained(small_config, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "train", lambda *_: pytest.fail("trained"))
    model = dataclasses.replace(small_config.model, part2=str(tmp_path / "nowhere"))
    with pytest.raises(errors.CtcovError, match=r"part2: .*nowhere: no such run directory"):
        ablation.ablate("deep_cxr_net_tiny", dataclasses.replace(small_config, model=model), tmp_path / "out")


@pytest.mark.parametrize("name", ["deep_cxr_net_tiny", "deep_cxr_net_edge"])
def test_settings_are_the_presets_but_for_what_is_given(name):
    preset = ablation.settings(name)
    changed = ablation.settings(name, model={"part1": "p1", "part2": None}, train={"epochs": 3})
    assert changed.model == dataclasses.replace(preset.model, part1="p1")
    assert changed.train == dataclasses.replace(preset.train, epochs=3)
    assert changed.data == preset.data


@pytest.mark.parametrize(("preset", "line"), [("deep_ct_net", "is no fusion"), ("deep_cxr_nets", "no preset")])
def test_other_presets_are_refused(preset, line):
    with pytest.raises(errors.CtcovError, match=line):
        ablation.settings(preset, model={"part1": "p1"})
