import json

import pytest

from ctcov_tf import errors, shipped
from tests import shipped_folder


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(shipped.VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def tflite(tmp_path):
    path = tmp_path / "content"
    path.write_bytes(b"model")
    return path


def names(models):
    return [model.name for model in models]


def test_the_best_on_validation_answers_and_ct_comes_first(root, tflite):
    shipped_folder.write(root, "films-20260103", tflite, modality="CXR", validation_auc=0.99)
    shipped_folder.write(root, "slim-20260101", tflite, validation_auc=0.8)
    shipped_folder.write(root, "edge-20260102", tflite, validation_auc=0.9)
    assert names(shipped.models()) == ["edge-20260102", "slim-20260101", "films-20260103"]
    assert shipped.best().name == "edge-20260102"
    assert shipped.best("CXR").name == "films-20260103"


def test_the_declared_default_answers_whatever_others_reach(root, tflite):
    shipped_folder.write(root, "slim-20260101", tflite, validation_auc=0.8, default=True)
    shipped_folder.write(root, "edge-20260102", tflite, validation_auc=0.9)
    assert shipped.best().name == "slim-20260101"


def test_a_name_without_its_date_means_the_latest(root, tflite):
    for date, auc in ("20260101", 0.9), ("20260301", 0.7), ("20260201", 0.8):
        shipped_folder.write(root, f"slim-{date}", tflite, validation_auc=auc)
    assert shipped.named("slim").name == "slim-20260301"
    assert shipped.named("slim-20260101").name == "slim-20260101"
    assert shipped.named("sli") is None
    assert names(shipped.newest()) == ["slim-20260301"]


def test_the_other_modality_is_the_remedy(root, tflite):
    shipped_folder.write(root, "slim-20260101", tflite)
    assert shipped.remedy("CT") is None
    shipped_folder.write(root, "films-20260103", tflite, modality="CXR")
    assert shipped.remedy("CT") == "for chest radiographs: --model films-20260103"
    assert shipped.remedy("CXR") == "for chest CT: --model slim-20260101"


def test_a_sentence_tells_training_data_and_figures(root, tflite):
    model = shipped.read(shipped_folder.write(root, "slim-20260101", tflite))
    assert model.sentence() == (
        "model slim-20260101, trained on covid_ct:1.0.0: AUC 0.871 [0.821, 0.921] on 203 images of its test part "
        "(file facts alone: 0.654, within one source: 0.612)"
    )


def test_a_file_is_held_to_its_hash(root, tflite):
    model = shipped.read(shipped_folder.write(root, "slim-20260101", tflite))
    assert model.answering_file.read_bytes() == b"model"
    model.check()
    model.answering_file.write_bytes(b"mode1")
    with pytest.raises(errors.CtcovError, match="not the file that was shipped"):
        _ = model.answering_file
    with pytest.raises(errors.CtcovError, match="not the file that was shipped"):
        model.check()


def test_a_file_that_the_installation_lacks_is_one_line(root, tflite):
    model = shipped.read(shipped_folder.write(root, "slim-20260101", tflite))
    assert not model.has("model.keras")
    with pytest.raises(errors.CtcovError, match=r"not in this installation.*repository"):
        model.file("model.keras")


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"format": 99}', "null"])
def test_a_damaged_manifest_is_one_line(root, tflite, damage):
    folder = shipped_folder.write(root, "slim-20260101", tflite)
    (folder / shipped.MANIFEST).write_text(damage)
    with pytest.raises(errors.CtcovError, match=r"shipped.json: damaged"):
        shipped.read(folder)


def test_nothing_ships_from_an_empty_folder(root):
    assert shipped.models() == ()
    assert shipped.best() is None


def test_a_broken_model_does_not_hide_behind_the_others(root, tflite):
    folder = shipped_folder.write(root, "slim-20260101", tflite)
    manifest = json.loads((folder / shipped.MANIFEST).read_text())
    del manifest["figures"]
    (folder / shipped.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(errors.CtcovError, match="slim-20260101"):
        shipped.models()
