"""How versions come and go, with models that are there at once."""

import asyncio
import threading
import weakref

import pytest

from ctcov_tf import errors
from ctcov_tf.serving import versions as versions_lib
from ctcov_tf.serving.settings import Settings
from tests.fixed_predictor import Fixed, info


def states(served):
    found = served.client.get("/v1/models/fixed").json()["model_version_status"]
    return {int(one["version"]): (one["state"], one["status"]["error_code"]) for one in found}


def look(served, times=2):
    """A folder is loaded once two looks find it alike."""
    for _ in range(times):
        served.versions.look()


class Slow(Fixed):
    """Answers when it is let."""

    def __init__(self, *given):
        super().__init__(*given)
        self.started, self.release = threading.Event(), threading.Event()

    def outputs(self, data, image, *, heatmaps=False):
        self.started.set()
        assert self.release.wait(30)
        return super().outputs(data, image, heatmaps=heatmaps)


def test_the_highest_version_is_served(serving):
    served = serving(2, 10)
    assert served.answering() == 10
    assert states(served) == {10: ("AVAILABLE", "OK")}


def test_a_new_version_takes_over_and_the_old_one_ends(serving):
    served = serving(1)
    served.put(2)
    look(served, 1)
    assert served.answering() == 1, "files that are still being copied"
    look(served, 1)
    assert served.answering() == 2
    assert states(served) == {2: ("AVAILABLE", "OK"), 1: ("END", "OK")}
    assert served.client.post("/v1/models/fixed/versions/1:predict", json={}).json() == {
        "error": "Servable not found for request: Specific(fixed, 1)"
    }


def test_a_version_is_not_loaded_while_its_files_change(serving):
    served = serving(1)
    served.put(2)
    for size in range(3):
        (served.folder / "2" / "model.tflite").write_bytes(bytes(size))
        look(served, 1)
        assert states(served) == {1: ("AVAILABLE", "OK")}
    look(served, 1)
    assert states(served)[2] == ("AVAILABLE", "OK")


def test_a_version_that_is_taken_away_gives_way_to_the_one_before(serving):
    served = serving(1, 2)
    (served.folder / "2" / "model.tflite").unlink()
    (served.folder / "2").rmdir()
    look(served)
    assert served.answering() == 1
    assert states(served) == {2: ("END", "OK"), 1: ("AVAILABLE", "OK")}


def test_an_empty_folder_leaves_the_last_version_in_service(serving):
    served = serving(1)
    (served.folder / "1" / "model.tflite").unlink()
    (served.folder / "1").rmdir()
    with pytest.raises(errors.CtcovError, match="not a model"):
        served.versions.look()
    assert served.answering() == 1


def test_a_version_that_fails_is_reported_and_the_old_one_stays(serving, caplog):
    served = serving(1, models={2: errors.CtcovError("2: damaged: export it again")})
    served.put(2)
    look(served)
    assert served.answering() == 1
    (failed, old) = served.client.get("/v1/models/fixed").json()["model_version_status"]
    status = {"error_code": "UNKNOWN", "error_message": "2: damaged: export it again"}
    assert failed == {"version": "2", "state": "END", "status": status}
    assert old["state"] == "AVAILABLE"
    assert "version 2 cannot be loaded, version 1 stays: 2: damaged" in caplog.text


def test_a_version_that_failed_is_tried_again_once_its_files_change(serving):
    served = serving(1, models={2: ZeroDivisionError()})
    served.put(2)
    look(served)
    assert states(served)[2] == ("END", "UNKNOWN")
    del served.models[2]
    look(served, 3)
    assert states(served)[2] == ("END", "UNKNOWN"), "the same files would fail again"
    (served.folder / "2" / "model.tflite").write_bytes(b"whole")
    look(served)
    assert served.answering() == 2


def test_a_version_that_ended_is_let_go_of(serving):
    """Like a SavedModel, it refers to itself."""
    model = Fixed(info(), 0.01)
    model.itself = model
    gone = weakref.ref(model)
    served = serving(1, models={1: model})
    served.put(2)
    served.models.clear()
    del model
    look(served)
    assert served.answering() == 2
    assert gone() is None


def test_labels_name_versions(serving):
    served = serving(1, 2, 3, settings=Settings(labels={"stable": 1, "canary": 2}))
    assert served.answering() == 3
    assert served.answering("/v1/models/fixed/labels/stable:predict") == 1
    assert served.answering("/v1/models/fixed/labels/canary:predict") == 2
    assert served.client.get("/v1/models/fixed/labels/canary/metadata").json()["model_spec"]["version"] == "2"
    (status,) = served.client.get("/v1/models/fixed/labels/canary").json()["model_version_status"]
    assert status["version"] == "2"
    served.put(4)
    look(served)
    assert set(states(served)) == {1, 2, 3, 4}
    assert states(served)[3] == ("END", "OK")
    assert served.answering("/v1/models/fixed/labels/stable:predict") == 1


def test_stable_is_the_version_in_service_by_default(serving):
    served = serving(1)
    assert served.answering("/v1/models/fixed/labels/stable:predict") == 1
    served.put(2)
    look(served)
    assert served.answering("/v1/models/fixed/labels/stable:predict") == 2
    refused = served.client.get("/v1/models/fixed/labels/other")
    assert (refused.status_code, refused.json()) == (400, {"error": "Unrecognized servable version label: other"})


def test_a_label_of_a_version_that_is_not_there_is_refused(serving):
    with pytest.raises(errors.CtcovError, match=r"--label stable=7: .* has no version 7: choose from 1, 2"):
        serving(1, 2, settings=Settings(labels={"stable": 7}))


def test_a_request_that_runs_is_answered_by_the_version_that_it_began_with(serving, rows, image):
    slow = Slow(info(), 0.01)
    served = serving(1, models={1: slow})
    served.put(2)

    async def both():
        async with served.client.opened() as asking:
            running = asyncio.create_task(asking.post("/v1/models/fixed:predict", json=rows(image)))
            assert await asyncio.to_thread(slow.started.wait, 30)
            switching = asyncio.create_task(asyncio.to_thread(look, served))
            while served.versions.latest == 1:
                await asyncio.sleep(0.01)
            new = await asking.post("/v1/models/fixed:predict", json=rows(image))
            assert not switching.done(), "version 1 still has a request"
            status = (await asking.get("/v1/models/fixed/versions/1")).json()["model_version_status"][0]["state"]
            slow.release.set()
            old = await running
            await switching
            return old, new, status

    old, new, status = asyncio.run(both())
    assert [round(100 * answer.json()["predictions"][0]["probability"]) for answer in (old, new)] == [1, 2]
    assert status == "UNLOADING"
    assert states(served)[1] == ("END", "OK")


def test_the_watcher_sees_a_new_version_and_stops(serving):
    served = serving(1)
    watcher = threading.Thread(target=served.versions.watch, args=(0.01,))
    watcher.start()
    served.put(2)
    for _ in range(6000):
        if served.versions.latest == 2:
            break
        watcher.join(0.01)
    assert served.answering() == 2
    served.versions.close()
    watcher.join(60)
    assert not watcher.is_alive()


def test_a_name_that_no_address_can_hold_is_refused(serving):
    with pytest.raises(errors.CtcovError, match="choose --name"):
        serving(1, settings=Settings(name="a/b"))


def test_what_stands_at_a_path(tmp_path):
    file = tmp_path / "net-3-float32.tflite"
    file.write_bytes(b"")
    assert versions_lib.on_disk(file) == {3: file}
    for version, name in (
        ("1", "saved_model.pb"),
        ("2", "model.tflite"),
        ("3", "model.tflite"),
        ("3", "saved_model.pb"),
    ):
        (tmp_path / "net" / version).mkdir(parents=True, exist_ok=True)
        (tmp_path / "net" / version / name).write_bytes(b"")
    (tmp_path / "net" / "notes").mkdir()
    (tmp_path / "net" / "4").mkdir()  # its copying has just begun
    folder = tmp_path / "net"
    assert versions_lib.on_disk(folder) == {1: folder / "1", 2: folder / "2" / "model.tflite", 3: folder / "3"}
    assert versions_lib.on_disk(folder / "3") == {3: folder / "3"}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    assert versions_lib.on_disk(tmp_path / "run") == {1: tmp_path / "run"}
    with pytest.raises(errors.CtcovError, match="no such model"):
        versions_lib.on_disk(tmp_path / "nowhere")


def test_after_a_withdrawal_the_highest_that_loads_takes_over(serving):
    served = serving(1, 2, 3, models={2: errors.CtcovError("2: damaged: export it again")})
    (served.folder / "3" / "model.tflite").unlink()
    (served.folder / "3").rmdir()
    look(served)
    assert served.answering() == 1
    assert states(served) == {3: ("END", "OK"), 2: ("END", "UNKNOWN"), 1: ("AVAILABLE", "OK")}


def test_a_damaged_version_above_does_not_keep_a_withdrawn_one(serving):
    served = serving(1, 2)
    served.models[4] = errors.CtcovError("4: damaged: export it again")
    served.put(4)
    (served.folder / "2" / "model.tflite").unlink()
    (served.folder / "2").rmdir()
    look(served)
    assert served.answering() == 1


def test_the_status_names_no_place_of_the_server(serving):
    served = serving(1)
    served.models[2] = errors.CtcovError(f"{served.folder}/2/model.tflite: damaged: export it again")
    served.put(2)
    look(served)
    status = served.client.get("/v1/models/fixed").json()["model_version_status"][0]["status"]
    assert status["error_message"] == ".../2/model.tflite: damaged: export it again"
