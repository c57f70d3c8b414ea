"""CheXpert in the published layout, drawn small, built by TFDS's own builder."""

import csv

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from ctcov_tf import config, errors, input_pipeline
from ctcov_tf.datasets import chexpert, contents, opening

COLUMNS = [
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
]
PATIENTS = 150


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chexpert")
    root = folder / "manual" / "CheXpert-v1.0-small"
    for part, patients in (("train", range(1, PATIENTS + 1)), ("valid", range(64541, 64545))):
        rows = [_row(root, part, patient, view) for patient in patients for view in ("frontal", "lateral")]
        with (root / f"{part}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *COLUMNS])
            writer.writerows(rows)
    settings = tfds.download.DownloadConfig(manual_dir=str(folder / "manual"))
    builder = tfds.builder("chexpert", data_dir=str(folder / "data"))
    builder.download_and_prepare(download_config=settings)
    return config.DataConfig(dataset="chexpert", data_dir=str(folder / "data"), positive="pneumonia")


def _row(root, part, patient, view):
    name = f"{part}/patient{patient:05d}/study1/view{1 if view == 'frontal' else 2}_{view}.jpg"
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / name), np.full((10 + patient % 3, 12), patient % 256, np.uint8))
    states = [""] * len(COLUMNS)
    states[COLUMNS.index("Pneumonia")] = ("1.0", "0.0", "-1.0", "")[patient % 4]
    states[0] = "1.0" if patient % 4 == 1 else ""
    return [f"CheXpert-v1.0-small/{name}", "Female", 50, view.capitalize(), "AP", *states]


def test_frontal_views_are_split_by_patient_and_the_official_part_is_the_test(data):
    tables = {split: contents.metadata(data, split) for split in ("train", "validation", "test")}
    assert len(tables["train"]) + len(tables["validation"]) == PATIENTS
    assert 0 < len(tables["validation"]) < PATIENTS / 10
    assert sorted(tables["test"]["group_id"]) == [f"patient{number}" for number in range(64541, 64545)]
    assert all("frontal" in name for table in tables.values() for name in table["image_id"])


def test_findings_keep_their_states_under_their_names(data):
    table = contents.metadata(data, "train")
    numbers = table["group_id"].str.removeprefix("patient").astype(int)
    assert list(table["finding_pneumonia"]) == [(1, 0, -1, -2)[number % 4] for number in numbers]
    assert (table["finding_edema"] == -2).all()
    assert list(table["label"] == 1) == [number % 4 == 1 for number in numbers]


def test_facts_of_the_files_are_read(data):
    table = contents.metadata(data, "test")
    assert set(table["mode"]) == {"L"}
    numbers = table["group_id"].str.removeprefix("patient").astype(int)
    assert list(table["height"]) == [10 + number % 3 for number in numbers]
    assert (table["width"] == 12).all()
    assert (table["file_bytes"] > 0).all()


def test_part_1_learns_its_findings_from_it(data):
    labels = contents.labels_of(data, "findings")
    assert labels.outputs == config.FINDINGS
    settings = config.Config(data=data, preprocess=config.PreprocessConfig(image_size=16))
    images, targets = next(
        iter(input_pipeline.training_batches(settings, labels, image_size=16, batch_size=8).as_numpy_iterator())
    )
    assert images.shape == (8, 16, 16, 3)
    assert set(np.unique(targets)) <= {-1, 0, 1}


def test_names_and_states_are_tfds_own(data):
    dataset = opening.open_dataset(data.dataset, data.data_dir)
    assert dataset.name == "chexpert:3.1.0"
    assert dataset.findings == chexpert.FINDINGS
    assert contents.manifest(data)["splits"]["test"]["by_finding"]["pneumonia"] == 1


def test_a_split_that_is_not_there_is_named(data):
    with pytest.raises(errors.CtcovError, match="no split holdout: choose train, validation, test"):
        contents.metadata(data, "holdout")


def test_where_it_is_not_built_the_command_is_tfds_own(tmp_path):
    with pytest.raises(errors.CtcovError, match=r"tfds build chexpert --data_dir"):
        opening.open_dataset("chexpert", str(tmp_path))
