import json

import keras
import pytest
import tensorflow as tf

from ctcov_tf import cli, errors
from ctcov_tf.export import inspection


def save(folder, function):
    module = tf.Module()
    module.weight = tf.Variable([1.0, 2.0])
    module.serve = tf.function(function(module), input_signature=[tf.TensorSpec((), tf.string, name="image")])
    tf.saved_model.save(module, folder, signatures=module.serve)
    return folder


def harmless(module):
    return lambda image: {"out": tf.strings.length(image) + tf.cast(module.weight[0], tf.int32)}


def reads(module):
    return lambda image: {"out": tf.io.read_file(image), "weight": module.weight}


def writes(module):
    def serve(image):
        tf.io.write_file("/tmp/never-written", image)
        return {"weight": module.weight}

    return serve


def deep(module):
    """Reads inside a function that a branch calls."""

    def serve(image):
        return {"out": tf.cond(tf.equal(image, ""), lambda: tf.io.read_file("/etc/hostname"), lambda: image)}

    return serve


def prints(module):
    def serve(image):
        tf.print(image, output_stream="file:///tmp/never-printed")
        return {"weight": module.weight}

    return serve


def calls_python(module):
    return lambda image: {"out": tf.py_function(lambda data: data, [image], tf.string)}


def test_a_saved_model_of_ones_own_touches_nothing(tmp_path):
    (found,) = inspection.inspect(save(tmp_path / "model", harmless))
    assert found.touching == ()
    assert found.signatures["serving_default"] == {"inputs": ["image"], "outputs": ["out"]}
    assert found.operators["SaveV2"]
    assert found.operators["StringLength"]
    assert set(found.files) >= {"saved_model.pb", "variables/variables.index"}


@pytest.mark.parametrize(
    ("function", "operator"),
    [(reads, "ReadFile"), (writes, "WriteFile"), (deep, "ReadFile"), (prints, "PrintV2"), (calls_python, "PyFunc")],
)
def test_operators_that_touch_files_are_named(tmp_path, function, operator):
    (found,) = inspection.inspect(save(tmp_path / "model", function))
    assert any(operator in one for one in found.touching)


def test_the_saving_operators_count_where_a_signature_calls_them(tmp_path):
    def saves(module):
        def serve(image):
            tf.raw_ops.SaveV2(prefix=image, tensor_names=["x"], shape_and_slices=[""], tensors=[module.weight])
            return {"weight": module.weight}

        return serve

    (found,) = inspection.inspect(save(tmp_path / "model", saves))
    assert any(one.startswith("SaveV2, in ") for one in found.touching)


def test_nothing_of_the_model_is_run(tmp_path):
    """The operator would end the process if it ran; a model that TensorFlow cannot load is looked into as well."""
    folder = save(tmp_path / "model", reads)
    (folder / "variables" / "variables.index").unlink()
    assert inspection.inspect(folder)[0].touching


def test_layers_with_code_are_named(tmp_path):
    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(tmp_path / "plain.keras")
    keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)).save(tmp_path / "code.keras")
    found = {one.place.rpartition("/")[2]: one for one in inspection.inspect(tmp_path)}
    assert found["plain.keras"].touching == ()
    assert found["plain.keras"].operators["Dense"] == 1
    assert any("Lambda" in one for one in found["code.keras"].touching)


def test_a_tflite_file(mean_grey_file):
    (found,) = inspection.inspect(mean_grey_file)
    assert (found.kind, found.touching) == ("TFLite", ())
    assert found.signatures["serving_default"]["inputs"] == ["image"]
    assert found.operators["MEAN"] == 1


@pytest.mark.parametrize("content", [b"", b"PNG", b"\0\0\0\0TFL3", b"\0\0\0\0TFL3" + bytes(range(256)) * 9])
def test_what_is_no_model_is_one_line(tmp_path, content):
    (tmp_path / "x.tflite").write_bytes(content)
    with pytest.raises(errors.CtcovError, match=r"x\.tflite: "):
        inspection.inspect(tmp_path / "x.tflite")
    with pytest.raises(errors.CtcovError, match="no such model"):
        inspection.inspect(tmp_path / "none")
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 50)
    with pytest.raises(errors.CtcovError, match="damaged SavedModel"):
        inspection.inspect(tmp_path)


def test_the_exit_code_tells(tmp_path, capsys):
    for function, code in (harmless, 0), (reads, 1):
        folder = save(tmp_path / function.__name__, function)
        with pytest.raises(SystemExit) as ended:
            cli.main(["inspect", str(folder), "--json"])
        assert ended.value.code == code
        assert bool(json.loads(capsys.readouterr().out)["touching"]) == bool(code)


def test_no_tensorflow_is_started_for_a_tflite_file(mean_grey_file, run_command):
    code = (
        "import pathlib, sys; from ctcov_tf.export import inspection; "
        f"inspection.inspect(pathlib.Path({str(mean_grey_file)!r})); print('tensorflow' in sys.modules)"
    )
    assert run_command("-c", code).stdout == "False\n"
