import dataclasses

import pytest

from ctcov_tf import errors
from ctcov_tf.reproduce import budget
from ctcov_tf.reproduce.budget import Timing, Work

WORK = Work(
    timings={"slow": Timing(2.0), "fast": Timing(0.5)},
    timed_at=96,
    batch_size=16,
    training_images=480,  # 30 steps
    validation_images=96,  # 6 batches, each a third of a step
    seeds=3,
)


def test_time_grows_with_steps_pixels_and_epochs():
    assert WORK.seconds("slow", 96, 1) == pytest.approx(2.0 * 32)
    assert WORK.seconds("slow", 192, 10) == pytest.approx(4 * 10 * 2.0 * 32)
    assert WORK.total(96, 5) == pytest.approx(3 * 5 * 2.5 * 32 / 0.85)


def test_bags_see_other_numbers_of_images():
    work = dataclasses.replace(WORK, timings={"bags": Timing(2.0, seen=0.5)})
    assert work.seconds("bags", 96, 4) == pytest.approx(WORK.seconds("slow", 96, 4) / 2)


def test_one_pass_methods_do_not_grow_with_epochs():
    work = dataclasses.replace(WORK, timings={"once": Timing(2.0, once=True)})
    assert work.seconds("once", 96, 40) == work.seconds("once", 96, 1)


@pytest.mark.parametrize("minutes", [40, 95, 113, 250, 500, 2000])
def test_the_choice_fits_and_nothing_larger_would(minutes):
    chosen = budget.choose(WORK, minutes)
    assert chosen.total == WORK.total(chosen.image_size, chosen.epochs)
    assert chosen.total <= 60 * minutes
    assert chosen.epochs == budget.MOST_EPOCHS or WORK.total(chosen.image_size, chosen.epochs + 1) > 60 * minutes
    larger = [size for size in budget.SIZES if size > chosen.image_size]
    assert all(WORK.total(size, budget.ENOUGH_EPOCHS) > 60 * minutes for size in larger)
    assert chosen.epochs >= budget.ENOUGH_EPOCHS or chosen.image_size == budget.SIZES[-1]


def test_more_minutes_never_mean_smaller_images():
    sizes = [budget.choose(WORK, minutes).image_size for minutes in range(20, 1500, 40)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 3


def test_all_methods_share_size_and_epochs_and_the_expected_times_add_up():
    chosen = budget.choose(WORK, 200)
    assert chosen.seconds["slow"] == pytest.approx(4 * chosen.seconds["fast"])
    assert WORK.seeds * sum(chosen.seconds.values()) / (1 - budget.RESERVE) == pytest.approx(chosen.total)


def test_a_size_that_is_given_leaves_the_epochs_to_choose():
    chosen = budget.choose(WORK, 200, sizes=(160,))
    assert chosen.image_size == 160
    assert 1 <= chosen.epochs < budget.choose(WORK, 200).epochs


def test_too_small_a_budget_says_what_it_takes():
    least = WORK.total(64, 1) / 60
    with pytest.raises(errors.CtcovError, match=rf"--budget 1: one epoch .* about {least:.1f} minutes at 64 px"):
        budget.choose(WORK, 1)
    assert budget.choose(WORK, least + 0.01).epochs == 1
