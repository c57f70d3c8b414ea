import numpy as np
import pandas as pd
from PIL import Image
import pytest

from ctcov_tf import errors
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import examples, panels, predictions
from ctcov_tf.images import decode


def frame(target, probability, groups=None):
    names = [f"image{index:02d}" for index in range(len(target))]
    columns = {"target": target, "probability": probability, "image_id": names, "group_id": groups or names}
    return pd.DataFrame(columns)


def ids(cases, kind):
    return [int(name[-2:]) for name in cases.loc[cases["kind"] == kind, "image_id"]]


def test_picks_the_surest_and_the_nearest():
    target = [1, 1, 1, 0, 0, 0, 0, 1]
    probability = [0.99, 0.9, 0.02, 0.01, 0.2, 0.97, 0.45, 0.55]
    cases = examples.pick_cases(frame(target, probability), 0.5, each=2)
    assert ids(cases, "wrong") == [2, 5]
    assert ids(cases, "right") == [0, 3]  # one of each decision
    assert ids(cases, "unsure") == [6, 7]
    assert cases["kind"].tolist() == ["wrong"] * 2 + ["unsure"] * 2 + ["right"] * 2


def test_sureness_is_seen_from_the_threshold():
    # with the threshold at 0.9, 0.95 is half way to sure and 0.6 a third
    cases = examples.pick_cases(frame([0, 1, 1], [0.95, 0.6, 0.99]), 0.9, each=1)
    assert ids(cases, "wrong") == [0]


def test_groups_do_not_repeat_while_others_are_left():
    cases = examples.pick_cases(frame([1] * 4, [0.99, 0.98, 0.97, 0.6], ["a", "a", "b", "c"]), 0.5, each=2)
    assert ids(cases, "right") == [0, 2]


def test_order_of_rows_does_not_matter():
    generator = np.random.default_rng(0)
    whole = frame(generator.integers(0, 2, 40), np.round(generator.random(40), 1))
    expected = examples.pick_cases(whole, 0.5)["image_id"].tolist()
    assert examples.pick_cases(whole.sample(frac=1, random_state=1), 0.5)["image_id"].tolist() == expected


@pytest.mark.parametrize("images", [0, 1])
def test_few_images_are_no_error(images):
    assert len(examples.pick_cases(frame([1] * images, [0.9] * images), 0.5)) == images


def test_explainer_agrees_with_the_predictions(light_run):
    model = light_run.load_model()
    expected = predictions.predict_split(light_run, "test", model)["probability"]
    explainer = examples.Explainer(light_run, model)
    for index, example in enumerate(contents.examples(light_run.config.data, "test").take(3)):
        rgb = decode.decode_rgb(example["image"].numpy(), "image")
        found = explainer(rgb)
        assert found.probability == pytest.approx(expected[index], abs=1e-5)
        assert found.grey.shape == rgb.shape[:2]
        assert found.seen.shape == (64, 64)
        assert found.whole.heatmap.ndim == 2
        assert found.whole.explained == "covid19"
        assert not found.parts


def test_explainer_tells_what_the_parts_say(tiny_fusion_run, tmp_path):
    expected = predictions.predict_split(tiny_fusion_run, "validation", path=tmp_path / "validation.csv").iloc[0]
    example = next(iter(contents.examples(tiny_fusion_run.config.data, "validation")))
    explainer = examples.Explainer(tiny_fusion_run, tiny_fusion_run.load_model())
    found = explainer(decode.decode_rgb(example["image"].numpy(), "image"))
    assert list(found.parts) == ["part1", "part2"]
    for name, evidence in found.parts.items():
        for output, probability in evidence.probabilities.items():
            assert probability == pytest.approx(expected[f"{name}_{output}"], abs=1e-4)
        assert evidence.heatmap.ndim == 2
    ranked = sorted(found.parts["part1"].probabilities.items(), key=lambda item: -item[1])
    assert found.parts["part1"].explained == ranked[0][0]
    assert found.parts["part2"].explained == "pneumonia"
    words = found.parts_in_words()
    assert words[0].startswith(f"part 1: {ranked[0][0].replace('_', ' ')} {ranked[0][1]:.2f}, ")
    assert words[0].count(",") == 2
    assert words[1].count(",") == 1


def test_sheet_of_a_fusion_has_a_column_a_part(tiny_fusion_run, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (80, 60), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "film.png")
    (record,) = examples.explain_images(tiny_fusion_run, [tmp_path / "film.png"], tmp_path / "out")
    assert [words[:7] for words in record["parts"]] == ["part 1:", "part 2:"]
    with Image.open(record["overlay"]) as image:
        assert image.width == 5 * (panels.SIDE + panels.GAP) + panels.GAP


def test_images_of_unknown_target_are_no_cases():
    cases = examples.pick_cases(frame([1, -1, 0, -1], [0.9, 0.99, 0.2, 0.01]), 0.5, each=4)
    assert sorted(cases.index) == [0, 2]


def test_explain_images_writes_an_overlay_a_file(light_run, tmp_path):
    generator = np.random.default_rng(0)
    paths = [tmp_path / "a" / "slice.png", tmp_path / "b" / "slice.jpg"]
    for path, shape in zip(paths, [(80, 60), (50, 90, 3)], strict=True):
        path.parent.mkdir()
        Image.fromarray(generator.integers(0, 256, shape, np.uint8)).save(path)
    records = examples.explain_images(light_run, paths, tmp_path / "out")
    assert [record["overlay"].name for record in records] == ["slice_cam.png", "slice_2_cam.png"]
    for record in records:
        assert 0 < record["probability"] < 1
        assert record["decision"] == ("covid19" if record["probability"] >= 0.5 else "not covid19")
        with Image.open(record["overlay"]) as image:
            assert image.width > 3 * 200


def test_explain_images_names_a_bad_file(light_run, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(errors.CtcovError, match=r"bad.png"):
        examples.explain_images(light_run, [tmp_path / "bad.png"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
