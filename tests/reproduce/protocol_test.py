import dataclasses

import pytest

from ctcov_tf import configs, errors
from ctcov_tf.config import Config, PreprocessConfig, SmallCNNConfig, TrainConfig
from ctcov_tf.reproduce import protocol
from ctcov_tf.reproduce.protocol import Protocol

TINY = Protocol("phantom/tiny", "data", image_size=64, epochs=10)


def test_methods_differ_in_their_model_alone():
    one, other = TINY.config("deep_ct_net_tiny", seed=3), TINY.config("small_cnn", seed=3)
    assert one.model == configs.load("deep_ct_net_tiny").model
    assert dataclasses.replace(one, model=other.model) == other
    assert (one.data.dataset, one.data.data_dir) == ("phantom/tiny", "data")
    assert (one.preprocess.image_size, one.train.epochs, one.train.seed) == (64, 10, 3)
    assert not one.train.early_stages
    assert not one.augment.flip  # the preset has it


def test_weights_of_backbones_are_the_protocols():
    assert configs.load("deep_ct_net").model.weights == "imagenet"
    assert TINY.config("deep_ct_net").model.weights == "none"
    assert dataclasses.replace(TINY, weights="imagenet").config("deep_ct_net_slim").model.weights == "imagenet"


@pytest.mark.parametrize("preset", ["deep_cxr_net_tiny", "deep_cxr_net_edge"])
def test_a_fusion_has_its_parts_or_none(preset):
    assert TINY.config(preset).model.parts == "none"
    fused = dataclasses.replace(TINY, part1="one", part2="two").config(preset).model
    assert (fused.parts, fused.part1, fused.part2) == ("both", "one", "two")


@pytest.mark.parametrize(
    ("size", "epochs", "stages", "last"),
    [
        (229, 60, ((128, 10), (224, 10)), 40),
        (229, 6, ((128, 1), (224, 1)), 4),
        (128, 30, ((72, 5), (125, 5)), 20),
        (128, 2, ((72, 1),), 1),
        (128, 1, (), 1),
    ],
)
def test_stages_that_define_a_method_keep_their_proportions(monkeypatch, size, epochs, stages, last):
    preset = Config(
        preprocess=PreprocessConfig(image_size=229),
        model=SmallCNNConfig(),
        train=TrainConfig(epochs=40, early_stages=((128, 10), (224, 10))),
    )
    monkeypatch.setattr(protocol.configs, "load", lambda name: preset)
    train = dataclasses.replace(TINY, image_size=size, epochs=epochs).config("covid_resnet").train
    assert train.early_stages == stages
    assert train.epochs == last
    assert last + sum(of_stage for _, of_stage in stages) == epochs


@dataclasses.dataclass(frozen=True)
class Bags(SmallCNNConfig):
    slices: int = 4


@pytest.mark.parametrize("several", [True, False])
def test_bags_are_taken_where_groups_hold_several_images(monkeypatch, phantom_data_dir, several):
    given = Config(model=Bags())
    settings = dataclasses.replace(TINY, data_dir=str(phantom_data_dir))
    table = protocol.contents.metadata(settings.data, "train")
    kept = table if several else table.drop_duplicates("group_id")
    monkeypatch.setattr(protocol.configs, "load", lambda name: given)
    monkeypatch.setattr(protocol.contents, "metadata", lambda data, split: kept)
    slices = 4 if several else 1
    assert settings.slices_of(given) == slices
    assert settings.config("covnet").train.batch_size * slices == protocol.BATCH_SIZE


def test_networks_without_batch_norm_keep_their_lower_rate(monkeypatch):
    given = Config(model=SmallCNNConfig(), train=TrainConfig(learning_rate=3e-4))
    monkeypatch.setattr(protocol.configs, "load", lambda name: given)
    assert TINY.config("light_cnn").train.learning_rate == 3e-4
    assert TINY.config("resnet50").train.learning_rate == 1e-3


def test_a_preset_that_names_an_arithmetic_keeps_it():
    assert TINY.config("deep_cxr_net_edge").train.precision == "float32"
    assert TINY.config("deep_cxr_net_tiny").train.precision == "auto"


def test_another_dataset_judges_where_one_is_named():
    assert TINY.judging == TINY.data
    assert dataclasses.replace(TINY, judged_on="covid_ct").judging == dataclasses.replace(TINY.data, dataset="covid_ct")


def test_an_unknown_preset_is_refused():
    with pytest.raises(errors.CtcovError, match="no preset 'cov'"):
        TINY.config("cov")
