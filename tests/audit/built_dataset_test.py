import json
import types

from ctcov_tf.audit import built_dataset


def test_the_publishers_counts_come_from_the_builders_report(tmp_path):
    dataset = types.SimpleNamespace(folder=tmp_path)
    assert built_dataset._published(dataset) is None
    published = {"title": "the official split", "images": {"train": {"covid19": 3}}}
    (tmp_path / "build_report.json").write_text(json.dumps({"published": published}))
    found = built_dataset._published(dataset)
    assert (found.source, found.images) == (published["title"], published["images"])


def test_every_part_is_told_and_read_in_the_same_order(phantom_data_dir):
    collection = built_dataset.open_built("phantom/tiny", str(phantom_data_dir))
    table = collection.table
    assert list(table["split"].unique()) == ["train", "validation", "test"]
    assert set(table["label"]) == {"covid19", "other_pneumonia", "normal"}
    assert set(table["source"]) == {"synthetic"}
    assert table["image_id"].str.startswith(table["group"].iloc[0][:9]).all()
    images = list(collection.read())
    assert len(images) == len(table) == 108
    again = built_dataset.open_built("phantom/tiny", str(phantom_data_dir))
    assert list(again.read()) == images
    assert collection.synthetic
