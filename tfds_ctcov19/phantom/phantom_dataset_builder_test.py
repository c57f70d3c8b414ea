import dataclasses
import itertools
import pathlib

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfds_ctcov19.phantom import findings, phantom_dataset_builder, scanner, testing, xray

SIZES = (64, 112)


class PhantomTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = phantom_dataset_builder.Builder
    EXAMPLE_DIR = str(pathlib.Path(__file__).parent)  # nothing is read
    BUILDER_CONFIG_NAMES_TO_TEST = ["tiny"]  # noqa: RUF012
    SPLITS = {"train": 60, "validation": 24, "test": 24}  # noqa: RUF012


class RadiographTest(PhantomTest):
    BUILDER_CONFIG_NAMES_TO_TEST = ["cxr_tiny"]  # noqa: RUF012


@pytest.fixture(scope="module")
def phantoms() -> list[scanner.Phantom]:
    """A hundred and twenty patients, three slices each."""
    return [scanner.scan(index, SIZES) for index in range(360)]


def tell(features: np.ndarray, phantoms: list[scanner.Phantom], label: str) -> float:
    """AUC of a logistic regression for one class against the rest."""
    return testing.cross_validated_auc(features, phantoms, [phantom.label == label for phantom in phantoms])


def test_example_depends_on_its_number_alone():
    alone = scanner.scan(16, SIZES)
    for index in (3, 15):
        scanner.scan(index, SIZES)
    again = scanner.scan(16, SIZES)
    np.testing.assert_array_equal(alone.image, again.image)
    np.testing.assert_array_equal(alone.lesion_mask, again.lesion_mask)
    assert not np.array_equal(alone.image, scanner.scan(17, (len(alone.image),) * 2).image)


def test_every_patient_has_one_class_and_classes_are_balanced(phantoms):
    labels: dict[int, set[str]] = {}
    for phantom in phantoms:
        labels.setdefault(phantom.patient, set()).add(phantom.label)
    assert all(len(of_patient) == 1 for of_patient in labels.values())
    assert {label: sum(phantom.label == label for phantom in phantoms) for label in scanner.CLASSES} == {
        label: len(phantoms) // 3 for label in scanner.CLASSES
    }


def test_lesions_lie_where_the_class_says(phantoms):
    sides: dict[str, list[bool]] = {label: [] for label in scanner.CLASSES}
    for phantom in phantoms:
        half = phantom.lesion_mask.shape[1] // 2
        left, right = phantom.lesion_mask[:, :half].any(), phantom.lesion_mask[:, half:].any()
        sides[phantom.label].append(left and right)
        assert set(np.unique(phantom.lesion_mask)) <= {0, 255}
        assert (left or right) == (phantom.label != "normal")
    assert np.mean(sides["covid19"]) > 0.8
    assert np.mean(sides["other_pneumonia"]) < 0.3


def test_native_size_tells_nothing(phantoms):
    size = np.array([len(phantom.image) for phantom in phantoms], float)
    assert len(np.unique(size)) > 20
    for label in scanner.CLASSES:
        assert 0.3 < tell(np.stack([size, size**2], axis=-1), phantoms, label) < 0.7


@pytest.mark.parametrize("config", ["shortcut", "cxr_covid"])
def test_file_facts_follow_from_size_alone(config):
    builder = phantom_dataset_builder.Builder(config=config)
    examples = [example for _, example in builder._generate_examples(range(24))]
    assert {(example["file_format"], example["mode"]) for example in examples} == {("PNG", "L")}
    by_size: dict[tuple[int, int], set[int]] = {}
    for example in examples:
        by_size.setdefault((example["width"], example["height"]), set()).add(example["file_bytes"])
    assert all(len(lengths) == 1 for lengths in by_size.values())


def test_radiographs_of_two_configs_or_splits_share_no_patient():
    patients: list[int] = []
    for config in (config for config in phantom_dataset_builder.Builder.BUILDER_CONFIGS if config.modality == "cxr"):
        starts = np.concatenate([[0], np.cumsum(config.images)])
        for start, stop in itertools.pairwise(starts):
            of_split = {config.first_patient + xray.locate(index)[0] for index in range(start, stop)}
            assert len(of_split) == (stop - start) * xray.PATIENTS // xray.IMAGES
            patients.extend(of_split)
        assert config.draw(0).patient == config.first_patient
    assert len(set(patients)) == len(patients)


@pytest.mark.parametrize(("name", "classes"), [("cxr_covid", xray.CLASSES), ("cxr_pneumonia", xray.PNEUMONIA_CLASSES)])
def test_findings_stand_beside_the_class_where_the_config_says(name, classes):
    info = phantom_dataset_builder.Builder(config=name).info
    assert tuple(info.features["label"].names) == classes
    assert ("findings" in info.features) == ("findings" in info.metadata) == (name == "cxr_covid")
    if name == "cxr_covid":
        assert tuple(info.metadata["findings"]) == findings.FINDINGS
        assert info.features["findings"].feature.names == ["negative", "positive", "uncertain", "unmentioned"]
        assert info.features["findings"].shape == (6,)


def test_intensity_statistics_do_not_solve_it(phantoms):
    statistics = testing.grey_statistics(phantoms)
    for label in scanner.CLASSES:
        assert tell(statistics, phantoms, label) < 0.85


def test_shortcut_mark_tells_the_class_and_changes_nothing_else():
    corners = set()
    for index in (0, 3, 6):
        plain, marked = scanner.scan(index, (96, 96)), scanner.scan(index, (96, 96), shortcut=True)
        rows, columns = np.nonzero(plain.image != marked.image)
        assert len(rows) < 0.01 * plain.image.size
        corners.add((rows.mean() > 48, columns.mean() > 48))
        assert dataclasses.replace(plain, image=marked.image).label == marked.label
    assert len(corners) == 3
