"""What does the input pipeline cost beside OpenCV in a loop, albumentations, Keras' layers and the graph form?

    python -m benchmarks.input_pipeline [--image-size 256] [--native-size 512] [--json] [--record FILE]

Grey scans of one size, turned and shifted at random (section 4.1), equalised, resized, blurred, standardised and put
together as float32 batches of three channels. `ctcov` is the whole pipeline that training runs, from the dataset in
memory to tensors, with shuffling. The loop draws, moves and pre-processes in Python with OpenCV and fills an array:
it is the least that these steps cost. Before anything is timed, both are held to the same grey levels, bit for bit.

Processor time is that of all threads of the process: what the pipeline prepares ahead is waited for and counted.
albumentations takes part where it is installed.
"""

from collections.abc import Callable, Iterator
import dataclasses
import importlib.util
import itertools
import math
import os
import tempfile
import time
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tyro

from benchmarks import record, scans, timing
from ctcov_tf import config as config_lib
from ctcov_tf import input_pipeline
from ctcov_tf.datasets import contents
from ctcov_tf.images import augmentation, preprocess
from ctcov_tf.preprocessing.preprocess import Preprocess

CTCOV, LOOP = "ctcov", "OpenCV loop"
HEAD_ONLY = 52.0  # images a second that training of a head on cached features takes
FROZEN_PARTS = 1000 / 52  # the same of `deep_cxr_net_slim` at 128 px on cached likelihoods, 52 ms an image

QUIET_LOOKS = 5  # in a row, 20 ms apart, in which the process did nothing

Contestant = Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """What is measured."""

    native_size: int = 512
    """Side of the image as it comes, pixels."""
    image_size: int = config_lib.IMAGE_SIZE
    """Side of the image that the network sees, pixels."""
    batch_size: int = 16
    """Images a batch."""
    batches: int = 8
    """Batches a round."""
    rounds: int = 15
    """Rounds, all contestants taking turns."""


def main(options: Options) -> None:
    """Measures and publishes."""
    scans.BenchmarkScans.native_size = options.native_size
    with tempfile.TemporaryDirectory() as data_dir:
        for builder_config in scans.BenchmarkScans.BUILDER_CONFIGS:
            scans.BenchmarkScans(config=builder_config.name, data_dir=data_dir).download_and_prepare()
        bench = _Bench(options, data_dir)
        bench.check()
        cases = [bench.training(), bench.evaluation(), bench.decoding("png"), bench.decoding("jpeg"), bench.speed()]
    ratios = [(case.name, case.ratios[f"{CTCOV} over {LOOP}"]["median"]) for case in cases[:4]]
    per_second = 1e3 / cases[-1].values[CTCOV]["median"]
    goals = [record.Goal(f"{name}: processor time over the OpenCV loop's", ratio, 1.0) for name, ratio in ratios]
    goals += [
        record.Goal("images/s beside training of a head alone", per_second, HEAD_ONLY, at_least=True),
        record.Goal("images/s beside training on frozen parts at 128 px", per_second, FROZEN_PARTS, at_least=True),
    ]
    settings = {key: value for key, value in dataclasses.asdict(options).items() if key not in ("json", "record")}
    record.publish(record.make("input_pipeline", settings, cases, goals), options)


class _Bench:
    """The contestants over one dataset.

    Args:
      options: sizes and repetitions.
      data_dir: where the dataset is built.
    """

    def __init__(self, options: Options, data_dir: str) -> None:
        self._options = options
        self._data_dir = data_dir
        self._images = [scans.scan(options.native_size, number) for number in range(scans.IMAGES)]
        self._stack = np.stack(self._images)[..., np.newaxis]
        self._rng = np.random.default_rng(0)

    def check(self) -> None:
        """Holds pipeline and loop to the same grey levels."""
        options = self._options
        steps = config_lib.PreprocessConfig(options.image_size, standardise=False)
        plain = dataclasses.replace(self._config("png"), preprocess=steps)
        batches = input_pipeline.evaluation_batches(plain, self._labels(), "train", batch_size=1).as_numpy_iterator()
        for (batch, _), example in zip(batches, contents.examples(plain.data, "train"), strict=True):
            image = cv2.imdecode(np.frombuffer(example["image"].numpy(), np.uint8), cv2.IMREAD_GRAYSCALE)
            np.testing.assert_array_equal(np.rint(255 * batch[0, ..., 0]), _levels(image, options.image_size))
        for image, draws in zip(self._images, self._draws(len(self._images)), strict=True):
            moved = augmentation.augment(image, draws, config_lib.AugmentConfig())
            ours = preprocess.grey_levels(moved, steps)
            np.testing.assert_array_equal(ours, _levels(_moved(image, draws), options.image_size))

    def training(self) -> record.Case:
        """In memory, moved at random."""
        contestants = {
            CTCOV: self._from(self._training_batches("png", cache=True)),
            LOOP: self._loop(self._images, moving=True),
            f"{LOOP}, as tensors": self._loop(self._images, moving=True, finish=tf.convert_to_tensor),
            **self._albumentations(moving=True),
            "Keras layers": self._from(self._keras_layers()),
        }
        return self._case("training", contestants)

    def evaluation(self) -> record.Case:
        """In memory, as the images are; the graph form runs a batch at a time."""
        batches = input_pipeline.evaluation_batches(
            self._config("png"),
            self._labels(),
            "train",
            image_size=self._options.image_size,
            batch_size=self._options.batch_size,
        )
        serving = Preprocess(self._options.image_size)
        graph = tf.data.Dataset.from_tensor_slices(self._stack).batch(self._options.batch_size, drop_remainder=True)
        contestants = {
            CTCOV: self._from(batches.repeat()),
            LOOP: self._loop(self._images, moving=False),
            **self._albumentations(moving=False),
            "ctcov as a graph, for exports": self._from(graph.repeat().map(serving).prefetch(1)),
        }
        return self._case("evaluation", contestants)

    def decoding(self, file_format: str) -> record.Case:
        """From encoded bytes in every epoch, moved at random; the pipeline also reads them from disk."""
        encoded = [cv2.imencode(f".{file_format}", image)[1] for image in self._images]
        contestants = {
            CTCOV: self._from(self._training_batches(file_format, cache=False)),
            LOOP: self._loop(encoded, moving=True, read=lambda data: cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)),
        }
        return self._case(f"training, decoding {file_format.upper()}", contestants)

    def speed(self) -> record.Case:
        """Time by the clock, all cores: threads of the pipeline, OpenCV's own threads in the loop."""
        cores = len(os.sched_getaffinity(0))
        batches = self._training_batches("png", cache=True)
        contestants = {
            CTCOV: _with_threads(1, lambda: self._consume(iter(batches))),
            LOOP: _with_threads(cores, self._loop(self._images, moving=True)),
        }
        return self._case(f"training, by the clock, {cores} cores", contestants, time.perf_counter)

    def _case(self, name: str, contestants: dict[str, Contestant], clock: Callable = time.process_time) -> record.Case:
        options = self._options
        seconds = timing.in_turns(contestants, options.rounds, warm_up=2, clock=clock)
        images = options.batches * options.batch_size
        unit = "CPU ms an image" if clock is time.process_time else "ms an image"
        return record.Case(
            f"{name}, {options.native_size} to {options.image_size} px",
            unit,
            {one: timing.spread(values, 1e3 / images) for one, values in seconds.items()},
            {
                f"{one} over {LOOP}": timing.ratio(values, seconds[LOOP])
                for one, values in seconds.items()
                if one != LOOP
            },
        )

    def _config(self, file_format: str, *, cache: bool = True) -> config_lib.Config:
        dataset = f"{scans.BenchmarkScans.name}/{file_format}"
        return config_lib.Config(data=config_lib.DataConfig(dataset=dataset, data_dir=self._data_dir, cache=cache))

    def _labels(self) -> contents.Labels:
        return contents.labels_of(self._config("png").data, "binary")

    def _training_batches(self, file_format: str, *, cache: bool) -> tf.data.Dataset:
        return input_pipeline.training_batches(
            self._config(file_format, cache=cache),
            self._labels(),
            image_size=self._options.image_size,
            batch_size=self._options.batch_size,
        )

    def _draws(self, images: int) -> npt.NDArray:
        return self._rng.uniform(-1, 1, (images, augmentation.DRAWS))

    def _from(self, dataset: tf.data.Dataset) -> Contestant:
        batches = iter(dataset)

        def run() -> None:
            self._consume(batches)
            _wait_for_threads()

        return run

    def _consume(self, batches: Iterator[Any]) -> None:
        for _ in itertools.islice(batches, self._options.batches):
            pass

    def _loop(
        self,
        stored: list[npt.NDArray],
        *,
        moving: bool,
        read: Callable[[npt.NDArray], npt.NDArray] = lambda image: image,
        finish: Callable[[npt.NDArray], Any] = lambda batch: batch,
    ) -> Contestant:
        """The steps with OpenCV, written as well as they can be."""
        size = self._options.image_size

        def run() -> None:
            for _ in range(self._options.batches):
                chosen = self._rng.integers(len(stored), size=self._options.batch_size)
                batch = np.empty((len(chosen), size, size, 3), np.float32)
                for number, draws, result in zip(chosen, self._draws(len(chosen)), batch, strict=True):
                    image = read(stored[number])
                    if moving:
                        image = _moved(image, draws)
                    _standardise(_levels(image, size), result)
                finish(batch)

        return run

    def _albumentations(self, *, moving: bool) -> dict[str, Contestant]:
        if not importlib.util.find_spec("albumentations"):
            return {}
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
        import albumentations

        size = self._options.image_size
        shift = (-config_lib.TRANSLATION, config_lib.TRANSLATION)
        turn = (-config_lib.ROTATION_DEGREES, config_lib.ROTATION_DEGREES)
        steps = [
            albumentations.Equalize(p=1),
            albumentations.Resize(size, size),
            albumentations.GaussianBlur(blur_limit=(3, 3), sigma_limit=(0.8, 0.8), p=1),
            albumentations.Normalize(normalization="image"),
            albumentations.ToRGB(),
        ]
        if moving:
            steps.insert(0, albumentations.Affine(translate_percent=shift, rotate=turn, p=1))
        transform = albumentations.Compose(steps)

        def run() -> None:
            for _ in range(self._options.batches):
                chosen = self._rng.integers(len(self._images), size=self._options.batch_size)
                batch = np.empty((len(chosen), size, size, 3), np.float32)
                for number, result in zip(chosen, batch, strict=True):
                    result[:] = transform(image=self._images[number])["image"]

        return {"albumentations": run}

    def _keras_layers(self) -> tf.data.Dataset:
        """Keras' pre-processing layers over batches in `tf.data`; they have no blur of fixed width but a random one."""
        size = self._options.image_size
        shift = config_lib.TRANSLATION
        layers = [
            keras.layers.RandomRotation(config_lib.ROTATION_DEGREES / 360, fill_mode="constant"),
            keras.layers.RandomTranslation(shift, shift, fill_mode="constant"),
            keras.layers.Equalization(value_range=(0, 255)),
            keras.layers.Resizing(size, size),
            keras.layers.RandomGaussianBlur(1.0, kernel_size=3, sigma=(0.8, 0.8), value_range=(0, 255)),
        ]

        def prepare(images: tf.Tensor) -> tf.Tensor:
            images = tf.cast(images, tf.float32)
            for layer in layers:
                images = layer(images, training=True)
            return tf.repeat(tf.image.per_image_standardization(images), 3, axis=-1)

        images = tf.data.Dataset.from_tensor_slices(self._stack).shuffle(len(self._stack)).repeat()
        return images.batch(self._options.batch_size, drop_remainder=True).map(prepare).prefetch(1)


def _moved(image: npt.NDArray, draws: npt.NDArray) -> npt.NDArray:
    height, width = image.shape
    angle, right, down, _ = draws.tolist()
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, -angle * config_lib.ROTATION_DEGREES, 1.0)
    matrix[0, 2] += right * config_lib.TRANSLATION * width
    matrix[1, 2] += down * config_lib.TRANSLATION * height
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _levels(image: npt.NDArray, size: int) -> npt.NDArray:
    return cv2.GaussianBlur(cv2.resize(cv2.equalizeHist(image), (size, size)), (3, 3), 0)


def _standardise(levels: npt.NDArray, result: npt.NDArray) -> None:
    mean, deviation = cv2.meanStdDev(levels)
    values = levels - np.float32(mean[0, 0])
    values *= np.float32(1 / max(deviation[0, 0], math.ulp(1.0)))
    cv2.cvtColor(values, cv2.COLOR_GRAY2RGB, dst=result)


def _with_threads(threads: int, run: Contestant) -> Contestant:
    """The contestant with so many threads of OpenCV's own."""

    def threaded() -> None:
        cv2.setNumThreads(threads)
        run()
        cv2.setNumThreads(1)

    return threaded


def _wait_for_threads() -> None:
    """Returns when the process has come to rest: what is prepared ahead is prepared."""
    quiet = 0
    while quiet < QUIET_LOOKS:
        before = time.process_time()
        time.sleep(0.02)
        quiet = quiet + 1 if time.process_time() - before < 0.001 else 0


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
