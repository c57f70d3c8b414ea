from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
import pytest
from tensorflow_serving.config import model_server_config_pb2 as server_config
import yaml

from ctcov_tf import errors
from ctcov_tf.export import serving_kit

NET = "deep_ct_net"


def exported(folder, version, *names):
    """Puts versions there and takes them into the configuration, as `export.py` does."""
    for name in names or (NET,):
        (folder / name / str(version)).mkdir(parents=True)
    serving_kit.write(folder, names or (NET,), version)


def models(folder):
    text = (folder / "models.config").read_text()
    return {
        model.name: model
        for model in text_format.Parse(text, server_config.ModelServerConfig()).model_config_list.config
    }


def labels(folder, name=NET):
    return dict(models(folder)[name].version_labels)


def test_the_first_version_has_both_labels(tmp_path):
    exported(tmp_path, 1)
    (model,) = models(tmp_path).values()
    assert (model.name, model.base_path, model.model_platform) == (NET, f"/models/{NET}", "tensorflow")
    assert model.model_version_policy.WhichOneof("policy_choice") == "all"
    assert labels(tmp_path) == {"stable": 1, "canary": 1}


def test_stable_stays_and_canary_is_the_newest(tmp_path):
    for version in (1, 2, 5):
        exported(tmp_path, version)
        assert labels(tmp_path) == {"stable": 1, "canary": version}


def test_a_lower_version_moves_no_label(tmp_path):
    exported(tmp_path, 3)
    exported(tmp_path, 2)
    assert labels(tmp_path) == {"stable": 3, "canary": 3}


def test_what_the_user_wrote_stays(tmp_path):
    """Labels, a policy and a model of another folder."""
    exported(tmp_path, 1)
    exported(tmp_path, 2)
    path = tmp_path / "models.config"
    text = path.read_text().replace('key: "stable"\n      value: 1', 'key: "stable"\n      value: 2')
    text = text.replace("all {\n      }", "specific { versions: 1 versions: 2 versions: 3 }")
    other = 'config { name: "other" base_path: "/other" model_platform: "tensorflow" }'
    path.write_text(text.replace("model_config_list {", "model_config_list { " + other))
    assert labels(tmp_path) == {"stable": 2, "canary": 2}
    exported(tmp_path, 3)
    assert labels(tmp_path) == {"stable": 2, "canary": 3}
    assert list(models(tmp_path)[NET].model_version_policy.specific.versions) == [1, 2, 3]
    assert models(tmp_path)["other"].base_path == "/other"


def test_labels_of_versions_that_are_gone_move(tmp_path):
    exported(tmp_path, 1)
    exported(tmp_path, 9)
    for version in (1, 9):
        (tmp_path / NET / str(version)).rmdir()
    exported(tmp_path, 4)
    assert labels(tmp_path) == {"stable": 4, "canary": 4}


def test_each_model_has_its_own(tmp_path):
    exported(tmp_path, 1)
    exported(tmp_path, 2, NET, f"{NET}-bfloat16")
    assert labels(tmp_path) == {"stable": 1, "canary": 2}
    assert labels(tmp_path, f"{NET}-bfloat16") == {"stable": 2, "canary": 2}


def test_a_damaged_configuration_is_refused_and_kept(tmp_path):
    path = tmp_path / "models.config"
    path.write_text("model_config_list { oops")
    with pytest.raises(errors.CtcovError, match=r"models\.config: no configuration of TensorFlow Serving.*mend it"):
        exported(tmp_path, 1)
    assert path.read_text() == "model_config_list { oops"
    assert not (tmp_path / "compose.yaml").exists()


def test_compose_serves_this_folder_alone(tmp_path):
    exported(tmp_path, 1)
    (service,) = yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"].values()
    image, _, tag = service["image"].partition(":")
    assert image == "tensorflow/serving"
    assert tag[:1].isdecimal()
    assert service["volumes"] == ["./:/models:ro"]
    assert service["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    flags = dict(flag.removeprefix("--").split("=") for flag in service["command"])
    assert flags["allow_version_labels_for_unavailable_models"] == "true"
    assert (tmp_path / flags["model_config_file"].removeprefix("/models/")).is_file()


def test_flags_in_comments_name_files_that_are_there(tmp_path):
    exported(tmp_path, 1)
    lines = (tmp_path / "compose.yaml").read_text().splitlines()
    flags = dict(line.strip().removeprefix("# - --").split("=") for line in lines if "# - --" in line)
    assert set(flags) == {"enable_batching", "batching_parameters_file", "prefer_tflite_model", "enable_model_warmup"}
    assert (tmp_path / flags["batching_parameters_file"].removeprefix("/models/")).is_file()


def test_batching_parameters_are_tensorflow_servings(tmp_path):
    """Fields and types of BatchingParameters in its `session_bundle_config.proto`, which no package holds."""
    exported(tmp_path, 1)
    file = descriptor_pb2.FileDescriptorProto(name="batching.proto", package="kit", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    message = file.message_type.add(name="BatchingParameters")
    names = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    for number, name in enumerate(names, 1):
        message.field.add(name=name, number=number, type=11, label=1, type_name=".google.protobuf.Int64Value")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    parameters = message_factory.GetMessageClass(pool.FindMessageTypeByName("kit.BatchingParameters"))()
    text_format.Parse((tmp_path / "batching_parameters.txt").read_text(), parameters)
    assert parameters.max_batch_size.value > 1
    assert parameters.batch_timeout_micros.value <= 10_000


def test_files_that_are_there_are_the_users(tmp_path):
    (tmp_path / "compose.yaml").write_text("mine")
    exported(tmp_path, 1)
    assert (tmp_path / "compose.yaml").read_text() == "mine"
    (tmp_path / "batching_parameters.txt").write_text("mine too")
    exported(tmp_path, 2)
    assert (tmp_path / "batching_parameters.txt").read_text() == "mine too"
