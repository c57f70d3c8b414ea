import pytest

from ctcov_tf.export import layout


@pytest.mark.parametrize("form", ["saved_model", "saved_model_bfloat16"])
@pytest.mark.parametrize("version", [1, 12])
def test_a_version_is_read_from_where_an_export_stands(tmp_path, version, form):
    folder = layout.saved_model_folder(tmp_path, "deep_ct_net", version, form)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    assert layout.version_of(folder) == version
    for tflite_form in "float32", "dynamic_int8":
        assert layout.version_of(layout.tflite_file(tmp_path, "deep-ct-net", version, tflite_form)) == version


@pytest.mark.parametrize("name", ["run", "2024", "renamed.tflite"])
def test_whatever_else_is_version_1(tmp_path, name):
    assert layout.version_of(tmp_path / name) == 1
