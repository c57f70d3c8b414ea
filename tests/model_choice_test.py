import pathlib

import pytest

from ctcov_tf import errors, model_choice, shipped
from tests import shipped_folder


@pytest.fixture
def here(tmp_path, monkeypatch, mean_grey_file):
    """An empty working directory; one model for CT and one for radiographs ship."""
    for name, modality in ("slim-20260101", "CT"), ("films-20260103", "CXR"):
        shipped_folder.write(tmp_path / "weights", name, mean_grey_file, modality=modality)
    monkeypatch.setenv(shipped.VARIABLE, str(tmp_path / "weights"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.mark.parametrize("words", [["a.png"], ["a.png", "b.png"], ["study", "a.png"], ["no_such.png", "b"]])
def test_without_a_model_all_words_are_images_for_the_best(here, words):
    (here / "study").mkdir()
    (here / "a.png").write_bytes(b"image")
    model, images = model_choice.split(words)
    assert model.name == "slim-20260101"
    assert images == list(map(pathlib.Path, words))


@pytest.mark.parametrize("marker", ["config.json", "shipped.json", "1/saved_model.pb", "saved_model.pb"])
def test_a_first_word_that_is_a_models_folder_is_the_model(here, marker):
    (here / "model" / marker).parent.mkdir(parents=True)
    (here / "model" / marker).touch()
    assert model_choice.split(["model", "a.png"]) == (pathlib.Path("model"), [pathlib.Path("a.png")])


def test_a_tflite_file_is_known_by_name_and_by_content(here):
    (here / "renamed").write_bytes(b"\x1c\0\0\0TFL3")
    for name in "renamed", "there_is_none.tflite":
        assert model_choice.split([name, "a.png"])[0] == pathlib.Path(name)


@pytest.mark.parametrize("name", ["films-20260103", "films"])
def test_a_shipped_models_name_will_do(here, name):
    assert model_choice.split([name, "a.png"])[0].name == "films-20260103"
    assert model_choice.split(["a.png"], name)[0].name == "films-20260103"


def test_what_answers_alone_is_the_tflite_file_of_a_shipped_model(here):
    assert model_choice.answering("films").name == "films-20260103-float32.tflite"
    assert model_choice.answering(None).name == "slim-20260101-float32.tflite"
    assert model_choice.answering("exports/1") == pathlib.Path("exports/1")


def test_a_file_of_a_shipped_models_name_is_the_file(here):
    (here / "films").write_bytes(b"image")
    model, images = model_choice.split(["films"])
    assert (model.name, images) == ("slim-20260101", [pathlib.Path("films")])


def test_with_the_flag_all_words_are_images(here):
    model, images = model_choice.split(["other.tflite", "a.png"], "run")
    assert (model, images) == (pathlib.Path("run"), [pathlib.Path("other.tflite"), pathlib.Path("a.png")])


def test_a_mistyped_model_is_no_image(here):
    assert model_choice.split(["runs/slmi", "a.png"])[0] == pathlib.Path("runs/slmi")


@pytest.mark.parametrize("words", [[], ["films"], ["model.tflite"]])
def test_no_image_is_one_line(here, words):
    with pytest.raises(errors.CtcovError, match="arguments are required: IMAGE"):
        model_choice.split(words)


def test_where_nothing_ships_a_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv(shipped.VARIABLE, str(tmp_path))
    with pytest.raises(errors.CtcovError, match="this installation carries no model: name one"):
        model_choice.split(["a.png"])
