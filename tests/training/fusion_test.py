"""Training of Deep-CXR-Net: frozen parts stay as they are, and both ways to their likelihoods agree."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ctcov_tf import errors, input_pipeline, run_directory
from ctcov_tf.datasets import contents
from ctcov_tf.models import scores
from ctcov_tf.training import likelihoods, train
from ctcov_tf.training import parts as parts_lib


def with_model(config, **changes):
    return dataclasses.replace(config, model=dataclasses.replace(config.model, **changes))


@pytest.fixture(scope="module")
def runs(tiny_fusion_config, tmp_path_factory):
    """A trained run each way."""
    return trained_each_way("deep_cxr_net_tiny", tiny_fusion_config, tmp_path_factory.mktemp("fusion"))


@pytest.fixture(scope="module")
def edge_runs(tiny_edge_fusion_config, tmp_path_factory):
    """The same over EfficientNet-Lite."""
    return trained_each_way("deep_cxr_net_edge", tiny_edge_fusion_config, tmp_path_factory.mktemp("edge_fusion"))


@pytest.fixture(params=["runs", "edge_runs"])
def trained(request):
    """Runs of either backbone."""
    return request.getfixturevalue(request.param)


def trained_each_way(preset, config, folder):
    found = {}
    for way in ("cached", "on_the_fly"):
        run = train.create_run(preset, with_model(config, likelihoods=way), folder / way)
        assert train.train(run)
        found[way] = run
    return found


@pytest.mark.parametrize("way", ["cached", "on_the_fly"])
def test_frozen_parts_are_in_the_trained_model_as_they_were(trained, way):
    run = trained[way]
    trained = {variable.path: variable.numpy() for variable in run.load_model().weights}
    compared = 0
    for name in ("part1", "part2"):
        part = run_directory.load(getattr(run.config.model, name))
        for variable in part.load_model().weights:
            np.testing.assert_array_equal(trained[f"{name}_{variable.path}"], variable.numpy())
            compared += 1
    assert compared == sum(path.startswith(("part1_", "part2_")) for path in trained)


@pytest.mark.parametrize("way", ["cached", "on_the_fly"])
def test_part_3_has_learnt(runs, way, tiny_fusion_config):
    losses = pd.read_csv(runs[way].history_file)["loss"]
    assert len(losses) == tiny_fusion_config.train.epochs
    assert losses.iloc[-1] < losses.iloc[0]


def test_cached_likelihoods_are_those_of_the_parts(trained):
    run = trained["cached"]
    parts = parts_lib.load(run.config)
    kept = pd.read_csv(run.likelihoods_file("validation"))
    assert list(kept["image_id"]) == list(contents.metadata(run.config.data, "validation")["image_id"])
    images = np.concatenate(
        [batch for batch, _ in input_pipeline.evaluation_batches(run.config, run.labels, "validation")]
    )
    for part in parts:
        expected = scores.probabilities(part.network(images, training=False), part.info.labels)
        np.testing.assert_allclose(kept[list(part.info.likelihoods)], expected, atol=1e-5)


def test_cached_likelihoods_are_computed_once(runs, monkeypatch):
    monkeypatch.setattr(likelihoods, "_compute", lambda *_: pytest.fail("computed again"))
    run = runs["cached"]
    parts = parts_lib.load(run.config)
    assert likelihoods.of_split(run, "train", parts).shape == (run.manifest["splits"]["train"]["images"], 8)


def test_likelihoods_of_other_images_are_not_taken(runs, tmp_path):
    run = dataclasses.replace(runs["cached"], path=tmp_path)
    parts = parts_lib.load(run.config)
    kept = pd.read_csv(runs["cached"].likelihoods_file("validation")).iloc[::-1]
    run.likelihoods_file("validation").parent.mkdir()
    kept.to_csv(run.likelihoods_file("validation"), index=False)
    found = likelihoods.of_split(run, "validation", parts)
    np.testing.assert_allclose(found, kept.iloc[::-1, 1:], atol=1e-5)
    np.testing.assert_array_equal(
        likelihoods.of_split(run, "validation", parts), found, "as it was written, bit for bit"
    )


def test_the_cached_network_is_saved_whole(runs):
    run = runs["cached"]
    assert run.load_model().input_shape == (None, 64, 64, 3)
    assert [part.name for part in run.parts] == ["part1", "part2"]


def test_a_killed_run_goes_on_where_it_stood(tiny_fusion_config, runs, tmp_path, monkeypatch):
    run = train.create_run("deep_cxr_net_tiny", tiny_fusion_config, tmp_path / "run")

    class Killed(BaseException):
        pass

    save = train.checkpoints.SaveState.on_epoch_end

    def die(self, epoch, logs=None):
        save(self, epoch, logs)
        raise Killed

    monkeypatch.setattr(train.checkpoints.SaveState, "on_epoch_end", die)
    with pytest.raises(Killed):
        train.train(run)
    monkeypatch.setattr(train.checkpoints.SaveState, "on_epoch_end", save)
    train.train(run)
    expected = {variable.path: variable.numpy() for variable in runs["cached"].load_model().weights}
    for variable in run.load_model().weights:
        np.testing.assert_allclose(variable.numpy(), expected[variable.path], atol=1e-6)


def test_on_the_fly_takes_one_image_size(tiny_fusion_config, tmp_path):
    config = with_model(tiny_fusion_config, likelihoods="on_the_fly")
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, early_stages=((32, 1),)))
    with pytest.raises(errors.CtcovError, match=r"--likelihoods on_the_fly: .*--early-stages"):
        train.create_run("deep_cxr_net_tiny", config, tmp_path / "run")


def test_cached_likelihoods_serve_early_stages(tiny_fusion_config, tmp_path):
    config = dataclasses.replace(
        tiny_fusion_config, train=dataclasses.replace(tiny_fusion_config.train, epochs=1, early_stages=((32, 1),))
    )
    run = train.create_run("deep_cxr_net_tiny", config, tmp_path / "run")
    assert train.train(run)
    assert list(pd.read_csv(run.history_file)["image_size"]) == [32, 64]


def test_a_fusion_goes_on_from_another(edge_runs, tiny_edge_fusion_config, tmp_path):
    config = with_model(tiny_edge_fusion_config, parts="part2")
    start = dataclasses.replace(config.train, epochs=1, init_from=str(edge_runs["cached"].path))
    run = train.create_run("deep_cxr_net_edge", dataclasses.replace(config, train=start), tmp_path / "run")
    assert train.train(run)
    assert [part.name for part in run.parts] == ["part2"]
    assert run.started_from["preset"] == "deep_cxr_net_edge"


def test_a_fusion_of_another_backbone_is_no_start(tiny_fusion_run, tiny_edge_fusion_config, tmp_path):
    train_config = dataclasses.replace(tiny_edge_fusion_config.train, init_from=str(tiny_fusion_run.path))
    config = dataclasses.replace(tiny_edge_fusion_config, train=train_config)
    with pytest.raises(errors.CtcovError, match=r"layer stem_conv is missing there or of another shape"):
        train.create_run("deep_cxr_net_edge", config, tmp_path / "run")


def test_part_3_alone_needs_no_other_run(tiny_fusion_config, tmp_path):
    config = with_model(tiny_fusion_config, parts="none", part1="nowhere", part2="nowhere")
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=1))
    run = train.create_run("deep_cxr_net_tiny", config, tmp_path / "run")
    assert train.train(run)
    assert run.parts == ()
    assert not any(layer.name.startswith("part") for layer in run.load_model().layers)
