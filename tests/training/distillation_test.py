import dataclasses

import numpy as np
import pytest

from ctcov_tf import errors, input_pipeline
from ctcov_tf.config import SmallCNNConfig
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import predictions
from ctcov_tf.models import scores
from ctcov_tf.training import distillation, train


def student(run, teachers, path, **settings):
    """A run that learns from others, not begun."""
    config = dataclasses.replace(
        run.config,
        preprocess=dataclasses.replace(run.config.preprocess, image_size=32),
        model=SmallCNNConfig(channels=(8,)),
        train=dataclasses.replace(
            run.config.train, epochs=1, teachers=tuple(str(teacher.path) for teacher in teachers), **settings
        ),
    )
    return dataclasses.replace(run, path=path, config=config)


def test_targets_lie_between_labels_and_teachers(tiny_run, tmp_path):
    run = student(tiny_run, [tiny_run, tiny_run], tmp_path / "run", teacher_share=0.25)
    found = distillation.soft_targets(run, distillation.load(run))
    said = predictions.predict_split(tiny_run, "train")["probability"].to_numpy()
    table = contents.metadata(run.config.data, "train")
    hard = contents.targets(run.config.data, run.labels, table)[:, 0]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], 0.75 * hard + 0.25 * said, atol=1e-4)


def test_a_teacher_that_knows_mirrored_images_answers_for_both(tiny_run, tmp_path):
    run = student(tiny_run, [], tmp_path / "run", teacher_share=1.0)
    mirroring = dataclasses.replace(tiny_run.config, augment=dataclasses.replace(tiny_run.config.augment, flip=True))
    found = distillation.soft_targets(run, [dataclasses.replace(tiny_run, config=mirroring)])
    network = tiny_run.load_calibrated_model()
    batches = input_pipeline.evaluation_batches(tiny_run.config, tiny_run.labels, "train")
    images = np.concatenate([batch.numpy() for batch, _ in batches])
    upright, mirrored = (
        scores.probabilities(network(seen, training=False), tiny_run.labels).numpy()
        for seen in (images, images[:, :, ::-1])
    )
    assert np.abs(upright - mirrored).max() > 1e-3
    np.testing.assert_allclose(found, (upright + mirrored) / 2, atol=1e-5)


def test_masked_findings_stay_masked(tiny_parts, tmp_path):
    teacher = tiny_parts["part1"]
    run = student(teacher, [teacher], tmp_path / "run")
    run = dataclasses.replace(
        run,
        config=dataclasses.replace(run.config, data=dataclasses.replace(run.config.data, unmentioned="ignore")),
    )
    found = distillation.soft_targets(run, distillation.load(run))
    hard = contents.targets(run.config.data, run.labels, contents.metadata(run.config.data, "train"))
    assert (hard == contents.MASKED).any()
    np.testing.assert_array_equal(found == contents.MASKED, hard == contents.MASKED)


def test_a_run_trains_on_these_targets(tiny_run, tmp_path, monkeypatch):
    given = []
    make = input_pipeline.training_batches
    monkeypatch.setattr(
        input_pipeline,
        "training_batches",
        lambda *args, **settings: given.append(settings["targets"]) or make(*args, **settings),
    )
    config = student(tiny_run, [tiny_run], tmp_path / "run", early_stages=((24, 1),)).config
    run = train.create_run("small_cnn", config, tmp_path / "run")
    assert train.train(run)
    expected = distillation.soft_targets(run, distillation.load(run))
    assert len(given) == 2
    for targets in given:
        np.testing.assert_allclose(targets, expected, atol=1e-6)


def test_each_image_keeps_its_own_target(tiny_run, tmp_path):
    run = student(tiny_run, [], tmp_path / "run")
    numbers = np.arange(60, dtype="float32")[:, None]
    plain = contents.targets(run.config.data, run.labels, contents.metadata(run.config.data, "train"))
    drawn = [
        np.concatenate(
            [
                one
                for _, one in input_pipeline.training_batches(
                    run.config, run.labels, image_size=32, batch_size=12, targets=targets
                ).take(5)
            ]
        )
        for targets in (numbers, None)
    ]
    np.testing.assert_array_equal(plain[drawn[0].astype(int).ravel()], drawn[1])


def test_without_teachers_the_labels_are_the_targets(tiny_run):
    assert distillation.soft_targets(tiny_run, distillation.load(tiny_run)) is None


def test_teachers_that_do_not_fit_are_refused(tiny_run, tiny_parts, tmp_path):
    other = tiny_parts["part2"]
    with pytest.raises(errors.CtcovError, match=r"teacher .*: answers for pneumonia, .*: name a run of the same head"):
        distillation.load(student(tiny_run, [other], tmp_path / "run"))
    with pytest.raises(errors.CtcovError, match=r"--teacher-share 0: is not above 0"):
        distillation.load(student(tiny_run, [tiny_run], tmp_path / "run", teacher_share=0.0))
    run = student(tiny_run, [], tmp_path / "run")
    unfinished = dataclasses.replace(tiny_run, path=tmp_path / "unfinished")
    unfinished.save()
    named = dataclasses.replace(run.config.train, teachers=(str(unfinished.path),))
    with pytest.raises(errors.CtcovError, match=r"unfinished: is not finished: train.py --resume"):
        distillation.load(dataclasses.replace(run, config=dataclasses.replace(run.config, train=named)))


def test_a_teacher_of_another_fold_has_seen_what_judges_the_run(tiny_run, tmp_path):
    run = student(tiny_run, [tiny_run], tmp_path / "run")
    folded = dataclasses.replace(run.config, data=dataclasses.replace(run.config.data, fold="1/3"))
    with pytest.raises(errors.CtcovError, match=r"was trained on image .* which is in the validation part here"):
        distillation.load(dataclasses.replace(run, config=folded))
