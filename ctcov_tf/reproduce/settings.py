"""The settings of a folder: chosen when its first training is about to begin, and kept for all that follow."""

from collections.abc import Callable, Sequence
import dataclasses
import json
import pathlib
import sys
from typing import Any

from ctcov_tf import errors, files, locks, run_directory
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import tables
from ctcov_tf.reproduce import budget, timing
from ctcov_tf.reproduce.arms import Arm
from ctcov_tf.reproduce.protocol import BATCH_SIZE, Protocol

FORMAT = 1
FILE = "settings.json"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all trainings of a folder have in common.

    Attributes:
      table: name of the table, or `ablation`.
      ours: preset of the network that the others are held against.
      protocol: images, pre-processing and training.
      budget: minutes that image size and epochs were chosen for; None where they were given.
      seconds: time that one training of each method was expected to take when they were chosen, by its name.
      total: of all trainings that were asked for then, with a reserve.
    """

    table: str
    ours: str
    protocol: Protocol
    budget: float | None = None
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    total: float | None = None


@dataclasses.dataclass(frozen=True)
class Request:
    """What a call asks for; None leaves a setting as it is in the folder, or at its default.

    Attributes:
      table: name of the table, or `ablation`.
      ours: preset of the network that the others are held against.
      protocol: values of `Protocol`'s fields, by name.
      budget: minutes for all trainings together.
    """

    table: str
    ours: str | None
    protocol: dict[str, Any]
    budget: float | None = None

    def __post_init__(self) -> None:
        sized = [name for name in ("image_size", "epochs") if self.protocol.get(name) is not None]
        if self.budget is not None and sized:
            raise errors.CtcovError(
                f"--budget: chooses image size and epochs itself: leave out --{sized[0].replace('_', '-')}, or --budget"
            )
        if (self.protocol.get("part1") is None) != (self.protocol.get("part2") is None):
            raise errors.CtcovError("--part1, --part2: one without the other: give both, or neither")


def settle(
    out: pathlib.Path, request: Request, default: Settings, arms: Callable[[Settings], Sequence[Arm]], seeds: int
) -> Settings:
    """The settings of a folder: those that it has, or those that are chosen now.

    Args:
      out: the folder.
      request: what the call asks for.
      default: what is taken where neither says anything.
      arms: makes of settings what is trained under them, or refuses them; their steps are timed for a budget.
      seeds: trainings of each that the budget is for.

    Raises:
      CtcovError: the folder has other settings than are asked for, or the budget is too small.
    """
    path = out / FILE
    with locks.lock(path):
        if path.is_file():
            found = _read(path)
            _check(out, request, found)
            return found
        given = {name: value for name, value in request.protocol.items() if value is not None}
        if "part1" in given:
            given.setdefault("image_size", run_directory.load(given["part1"]).config.preprocess.image_size)
        chosen = dataclasses.replace(
            default, ours=request.ours or default.ours, protocol=dataclasses.replace(default.protocol, **given)
        )
        trained = arms(chosen)
        if request.budget is not None:
            chosen = _within(chosen, request.budget, trained, seeds)
        files.write_json(path, {"format": FORMAT, **dataclasses.asdict(chosen)})
        return chosen


def describe(settings: Settings, arms: int, seeds: int) -> str:
    """The settings in one line, before training begins."""
    protocol = settings.protocol
    line = (
        f"{settings.table} on {protocol.dataset}: {arms} x {seeds} trainings of {protocol.epochs} epochs at "
        f"{protocol.image_size} px, batch {BATCH_SIZE}, weights {protocol.weights}"
    )
    if settings.budget is not None and settings.total is not None:
        line += f"; chosen for {settings.budget:g} minutes in all, expected {tables.duration(settings.total)}"
    return line


def _within(settings: Settings, minutes: float, arms: Sequence[Arm], seeds: int) -> Settings:
    """Chooses image size and epochs for a budget, by the time of each method's step."""
    protocol = settings.protocol
    splits = contents.manifest(protocol.data)["splits"]
    timings = {}
    for arm in arms:
        labels = contents.labels_of(arm.config.data, arm.config.model.head)
        seen = protocol.slices_of(arm.config) * splits["train"]["groups"] / splits["train"]["images"]
        measured = timing.measure(arm.config, labels)
        timings[arm.name] = dataclasses.replace(measured, seen=seen if protocol.slices_of(arm.config) > 1 else 1.0)
        print(
            f"{arm.title}: {timings[arm.name].seconds:.2f} s a step at {timing.IMAGE_SIZE} px",
            file=sys.stderr,
            flush=True,
        )
    work = budget.Work(
        timings,
        timed_at=timing.IMAGE_SIZE,
        batch_size=BATCH_SIZE,
        training_images=splits["train"]["images"],
        validation_images=splits["validation"]["images"],
        seeds=seeds,
    )
    # frozen parts take images of their own size only
    choice = budget.choose(work, minutes, (protocol.image_size,) if protocol.part1 else budget.SIZES)
    return dataclasses.replace(
        settings,
        protocol=dataclasses.replace(protocol, image_size=choice.image_size, epochs=choice.epochs),
        budget=minutes,
        seconds=choice.seconds,
        total=choice.total,
    )


def _read(path: pathlib.Path) -> Settings:
    remedy = "choose another --out"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise errors.CtcovError(f"{path}: is of another version of ctcov: {remedy}")
        return Settings(**{**content, "protocol": Protocol(**content["protocol"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.CtcovError(f"{path}: damaged ({errors.one_line(error)}): {remedy}") from error


def _check(out: pathlib.Path, request: Request, found: Settings) -> None:
    there = {"table": found.table, "ours": found.ours, "budget": found.budget, **dataclasses.asdict(found.protocol)}
    asked = {"table": request.table, "ours": request.ours, "budget": request.budget, **request.protocol}
    for name, value in asked.items():
        if value is not None and value != there[name]:
            flag = name if name == "table" else f"--{name.replace('_', '-')}"
            has = "none" if there[name] is None else there[name]
            raise errors.CtcovError(
                f"{out}: was begun with {flag} {has}, not {value}: leave it as it is, or choose another --out"
            )
