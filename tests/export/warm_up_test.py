import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from ctcov_tf.export import saved_model, warm_up
from ctcov_tf.images import decode

PLACE = "assets.extra/tf_serving_warmup_requests"


def recorded(folder):
    """The requests of a version's folder, read as TensorFlow Serving reads them."""
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(folder / PLACE))
    ]
    assert {log.WhichOneof("log_type") for log in logs} == {"predict_log"}
    return [log.predict_log.request for log in logs]


@pytest.fixture(scope="module", params=["deep_ct_net_tiny", "deep_cxr_net"])
def folder(request):
    fixture = {"deep_ct_net_tiny": "exports", "deep_cxr_net": "tiny_fusion_exports"}[request.param]
    return request.getfixturevalue(fixture)["saved_model"]


def test_every_signature_answers_its_requests(folder):
    signatures = tf.saved_model.load(folder).signatures
    requests = recorded(folder)
    assert {request.model_spec.signature_name for request in requests} == set(signatures)
    assert {request.model_spec.name for request in requests} == {folder.parent.name}
    for request in requests:
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        answer = signatures[request.model_spec.signature_name](**inputs)
        assert 0 <= answer["probability"].numpy().item() <= 1


def test_the_images_are_drawn_and_no_patients(folder):
    """Whatever the model was trained on: each image is the same ramp, byte for byte or as JPEG keeps it."""
    kinds = set()
    for request in recorded(folder):
        ((name, tensor),) = request.inputs.items()
        values = tf.make_ndarray(tensor)
        if name == "image_bytes":
            (content,) = values
            image, kind = decode.decode_rgb(content, "image"), content[:3]
        else:
            (image,), kind = values, values.dtype
        kinds.add((request.model_spec.signature_name, kind))
        difference = np.abs(image.astype(np.float64) - warm_up.ramp(image.shape[0]))
        assert difference.max() <= (4 if kind == b"\xff\xd8\xff" else 0)
    files = {(signature, kind) for signature in ("serving_default", "explain") for kind in (b"\x89PN", b"\xff\xd8\xff")}
    assert kinds == files | {("pixels", np.dtype(np.uint8)), ("pixels_float", np.dtype(np.float32))}


def test_an_export_has_no_other_image(exports, images):
    """No file of a version's folder holds one of the dataset."""
    for path in exports["saved_model"].rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(image.data[-200:] in content for image in images)


def test_the_ramp_is_grey_and_uses_all_levels():
    image = warm_up.ramp(256)
    assert (image.shape, image.dtype) == ((256, 256, 3), np.uint8)
    assert image[0, :, 0].tolist() == list(range(256))
    assert np.ptp(image, axis=(0, 2)).max() == 0


def test_new_signatures_are_warmed_up_too(tmp_path):
    """By what they take alone."""
    inputs = {"grey": tf.TensorSpec((None, None, None, 3), tf.int32, name="levels")}
    (request,) = warm_up.requests("model", inputs, 8)
    assert request.model_spec.signature_name == "grey"
    levels = tf.make_ndarray(request.inputs["levels"])
    assert (levels.dtype, levels.shape) == (np.int32, (1, 8, 8, 3))


def test_requests_stand_in_a_form_of_another_name_too(trained_run, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model.processor, "bfloat16_instructions", lambda: ["avx512_bf16"])
    folder = saved_model.export_saved_model(trained_run, tmp_path, form="saved_model_bfloat16")
    assert {request.model_spec.name for request in recorded(folder)} == {f"{trained_run.preset}-bfloat16"}
