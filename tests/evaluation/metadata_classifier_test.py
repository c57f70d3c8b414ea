import numpy as np
import pandas as pd
from PIL import Image
from sklearn import metrics as sk

from ctcov_tf.evaluation import metadata_classifier


def images(seed, count=200, leak=False):
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, count)
    width = generator.integers(200, 500, count)
    form = np.where(target if leak else generator.integers(0, 2, count), "PNG", "JPEG")
    return pd.DataFrame(
        {
            "target": target,
            "width": width,
            "height": width - 20,
            "mode": generator.choice(["RGB", "L"], count),
            "file_format": form,
            "file_bytes": width * 90,
        }
    )


def auc(train, test):
    classifier = metadata_classifier.fit(train)
    return sk.roc_auc_score(test["target"], metadata_classifier.predict(classifier, test))


def test_finds_a_file_format_that_tells_the_class():
    assert auc(images(0, leak=True), images(1, leak=True)) > 0.99


def test_is_at_chance_where_files_are_alike():
    assert abs(auc(images(0), images(1, 1000)) - 0.5) < 0.08


def test_unknown_categories_are_no_error():
    test = images(1).assign(mode="CMYK")
    assert np.isfinite(metadata_classifier.predict(metadata_classifier.fit(images(0)), test)).all()


def test_one_class_or_no_images():
    assert metadata_classifier.fit(images(0).assign(target=1)) is None
    assert metadata_classifier.fit(images(0).head(0)) is None
    assert metadata_classifier.predict(metadata_classifier.fit(images(0)), images(1).head(0)).shape == (0,)


def test_beats_image_models_on_covid_ct(real_data):
    """The official split of COVID-CT: its file formats tell the class."""
    root = real_data / "covid_ct"
    parts = {}
    for part, short in (("train", "train"), ("test", "test")):
        rows = []
        for name, target in (("COVID", 1), ("NonCOVID", 0)):
            lines = (root / "Data-split" / name / f"{short}CT_{name}.txt").read_text().splitlines()
            for line in filter(None, map(str.strip, lines)):
                path = root / "Images" / f"CT_{name}" / line
                with Image.open(path) as image:
                    facts = (target, *image.size, image.mode, image.format, path.stat().st_size)
                rows.append(
                    dict(zip(("target", "width", "height", "mode", "file_format", "file_bytes"), facts, strict=True))
                )
        parts[part] = pd.DataFrame(rows)
    assert len(parts["test"]) == 203
    assert auc(parts["train"], parts["test"]) > 0.9
