import asyncio
import json
import os

import pytest

from ctcov_tf import predictor
from ctcov_tf.serving.metrics import Metrics
from ctcov_tf.serving.served_model import open_model
from ctcov_tf.serving.settings import Batching, Settings
from tests.fixed_predictor import Fixed, info


class Batches(Fixed):
    """Notes the size of every batch, and whether it was to be explained."""

    takes_batches = True

    def __init__(self):
        super().__init__(info(), 0.5)
        self.given = []

    def batch_outputs(self, images, *, heatmaps=False):
        self.given.append((len(images), heatmaps))
        return super().batch_outputs(images, heatmaps=heatmaps)


@pytest.fixture
def loads(monkeypatch):
    """What `predictor.load` was asked for, and gave."""
    found = []
    original = predictor.load

    def load(path, threads=None):
        model = Batches() if path.suffix == ".fake" else original(path, threads)
        found.append((model, threads))
        return model

    monkeypatch.setattr(predictor, "load", load)
    return found


def test_a_tflite_file_is_opened_once_for_each_worker(mean_grey_file, image_files, rows, loads):
    model = open_model(mean_grey_file, 3, Settings(batching=Batching(workers=2)), Metrics())
    assert [threads for _, threads in loads] == [max(1, (os.cpu_count() or 1) // 2)] * 2
    assert loads[0][0] is not loads[1][0]
    bodies = [json.dumps(rows(file.read_bytes())).encode() for file in image_files] * 20

    async def all_at_once():
        return await asyncio.gather(*map(model.predict, bodies))

    found = [answer["predictions"][0]["probability"] for answer in asyncio.run(all_at_once())]
    model.close()
    expected = [loads[0][0].predict(file.read_bytes(), "image").probability for file in image_files]
    assert found == expected * 20


def test_other_models_are_shared_by_the_workers(tmp_path, loads):
    open_model(tmp_path / "model.fake", 1, Settings(batching=Batching(workers=3)), Metrics()).close()
    assert len(loads) == 1


def test_every_size_of_a_batch_is_warmed_up(tmp_path, loads):
    open_model(tmp_path / "model.fake", 1, Settings(batching=Batching(size=8)), Metrics()).close()
    assert loads[0][0].given == [(1, False), (2, False), (4, False), (8, False), (1, True)]
