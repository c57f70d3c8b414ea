"""The queue and its threads, with a model that says what it was given."""

from concurrent import futures
import io
import threading

import numpy as np
from PIL import Image
import pytest

from ctcov_tf import errors
from ctcov_tf.serving import rest
from ctcov_tf.serving.batching import Batcher
from ctcov_tf.serving.settings import Batching, Limits, Settings
from tests.fixed_predictor import Fixed, info


def grey(level):
    file = io.BytesIO()
    Image.new("L", (8, 8), level).save(file, "PNG")
    return file.getvalue()


def request(*levels, explain=False):
    return rest.Request({f"{level}": grey(level) for level in levels}, columns=False, explain=explain)


class MeanGrey(Fixed):
    """Answers the mean grey level over 255, in batches; `hold` keeps it busy until `release`."""

    takes_batches = True

    def __init__(self):
        super().__init__(info(), 0.0)
        self.batches, self.threads = [], set()
        self.started, self.release = threading.Event(), threading.Event()
        self.release.set()

    def batch_outputs(self, images, *, heatmaps=False):
        self.started.set()
        self.threads.add(threading.current_thread())
        assert self.release.wait(30)
        levels = [int(image.rgb.mean()) for image in images]
        self.batches.append((levels, heatmaps))
        if 13 in levels:
            raise ZeroDivisionError
        maps = {"heatmap": np.zeros((1, 2, 2), np.float32)} if heatmaps else {}
        return [{"probabilities": np.array([[level / 255]], np.float32)} | maps for level in levels]


@pytest.fixture
def model():
    return MeanGrey()


@pytest.fixture
def batcher(model):
    made = []

    def make(models=(model,), limits=Limits(), **batching):  # noqa: B008
        made.append(Batcher(models, Settings(limits=limits, batching=Batching(**batching))))
        return made[-1]

    yield make
    model.release.set()
    for one in made:
        one.close()


def busy(batcher, model):
    """Gives the model an image that it works at until it is released."""
    model.release.clear()
    first = batcher.submit(request(255))
    assert model.started.wait(30)
    return first


def levels(answers):
    return [round(255 * answer.result(30).probability) for answer in answers]


def test_every_image_gets_its_own_answer(batcher):
    queue = batcher(size=4)
    with futures.ThreadPoolExecutor(8) as clients:
        asked = list(clients.map(lambda n: queue.submit(request(n, 100 + n)), range(1, 13)))
    assert [levels(answers) for answers in asked] == [[n, 100 + n] for n in range(1, 13)]


def test_what_waits_becomes_batches_of_powers_of_two(batcher, model):
    queue = batcher(size=8)
    busy(queue, model)
    asked = [queue.submit(request(n)) for n in range(20, 31)]
    assert queue.waiting == 11
    model.release.set()
    assert [levels(answers) for answers in asked] == [[n] for n in range(20, 31)]
    assert [found for found, _ in model.batches] == [[255], [*range(20, 28)], [28, 29], [30]]
    assert queue.waiting == 0


def test_a_lone_image_does_not_wait_for_others(batcher, model):
    (answer,) = batcher(size=8, delay=0.0).submit(request(7))
    assert levels([answer]) == [7]
    assert model.batches == [([7], False)]


def test_an_image_waits_for_others_as_long_as_it_is_told(batcher, model):
    queue = batcher(size=2, delay=30.0)
    first = queue.submit(request(1))
    with pytest.raises(futures.TimeoutError):
        first[0].result(0.2)
    second = queue.submit(request(2))
    assert levels([*first, *second]) == [1, 2]
    assert [found for found, _ in model.batches] == [[1, 2]]


def test_the_delay_ends(batcher, model):
    (answer,) = batcher(size=2, delay=0.2).submit(request(3))
    assert levels([answer]) == [3]


def test_explained_and_plain_images_are_not_mixed(batcher, model):
    queue = batcher(size=8)
    busy(queue, model)
    asked = [queue.submit(request(n, explain=explain)) for n, explain in ((1, False), (2, True), (3, True), (4, False))]
    model.release.set()
    assert asked[1][0].result(30).heatmaps["covid19"].shape == (2, 2)
    assert levels(asked[3]) == [4]
    assert model.batches[1:] == [([1], False), ([2, 3], True), ([4], False)]


def test_an_image_that_cannot_be_read_fails_alone(batcher, model):
    queue = batcher(size=4)
    busy(queue, model)
    bad = queue.submit(rest.Request({"a": grey(1), "b": b"no image"}, columns=False))
    good = queue.submit(request(5, 6))
    model.release.set()
    assert levels([bad[0], *good]) == [1, 5, 6]
    with pytest.raises(errors.CtcovError, match="b: not a PNG"):
        bad[1].result(30)


def test_an_image_that_the_model_fails_at_fails_alone(batcher, model):
    queue = batcher(size=4)
    busy(queue, model)
    asked = queue.submit(request(11, 12, 13, 14))
    model.release.set()
    assert levels([*asked[:2], asked[3]]) == [11, 12, 14]
    with pytest.raises(ZeroDivisionError):
        asked[2].result(30)


def test_images_above_the_limit_are_refused_unread(batcher):
    (answer,) = batcher(limits=Limits(pixels=63)).submit(request(1))
    with pytest.raises(errors.CtcovError, match="8 x 8 pixels, the limit is 63"):
        answer.result(30)


def test_a_full_queue_takes_nothing_of_a_request(batcher, model):
    queue = batcher(limits=Limits(images=2, queue=3))
    busy(queue, model)
    waiting = queue.submit(request(1, 2))
    with pytest.raises(rest.Refusal, match="The queue is full: 2 images wait") as caught:
        queue.submit(request(3, 4))
    assert caught.value.status == 503
    waiting += queue.submit(request(5))
    model.release.set()
    assert levels(waiting) == [1, 2, 5]


def test_what_nobody_waits_for_is_not_computed(batcher, model):
    queue = batcher(size=4)
    busy(queue, model)
    gone, kept = queue.submit(request(1, 2)), queue.submit(request(3))
    for answer in gone:
        assert answer.cancel()
    model.release.set()
    assert levels(kept) == [3]
    assert model.batches[1:] == [([3], False)]


def test_models_run_at_once_and_each_in_one_thread(batcher):
    models = [MeanGrey(), MeanGrey()]
    for model in models:
        model.release.clear()
    queue = batcher(models=models, size=1)
    answers = queue.submit(request(1, 2, 3, 4))
    for model in models:
        assert model.started.wait(30)
    for model in models:
        model.release.set()
    assert levels(answers) == [1, 2, 3, 4]
    assert [len(model.threads) for model in models] == [1, 1]
    assert models[0].threads != models[1].threads


def test_a_model_that_takes_no_batches_gets_one_image_at_a_time(batcher):
    model = MeanGrey()
    model.takes_batches = False
    queue = batcher(models=[model], size=8)
    assert queue.sizes == [1]
    assert levels(queue.submit(request(1, 2, 3))) == [1, 2, 3]
    assert [found for found, _ in model.batches] == [[1], [2], [3]]


def test_closing_answers_what_waits(model):
    queue = Batcher([model], Settings(batching=Batching(size=4, delay=30.0)))
    answers = queue.submit(request(1, 2, 3))
    queue.close()
    assert levels(answers) == [1, 2, 3]


@pytest.mark.parametrize(("size", "sizes"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4]), (8, [1, 2, 4, 8])])
def test_few_sizes_of_batches_are_possible(batcher, size, sizes):
    assert batcher(size=size).sizes == sizes
