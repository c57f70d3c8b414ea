from ctcov_tf.datasets import contents
from ctcov_tf.export import samples


def test_draws_a_seeded_sample_in_dataset_order(tiny_config):
    order = list(contents.metadata(tiny_config.data, "validation")["image_id"])
    first, again, other = (samples.draw(tiny_config.data, "validation", 6, seed) for seed in (0, 0, 1))
    assert first == again
    assert {one.image_id for one in first} != {one.image_id for one in other}
    assert [order.index(one.image_id) for one in first] == sorted(order.index(one.image_id) for one in first)


def test_labels_and_bytes_belong_to_the_image(tiny_config):
    table = contents.metadata(tiny_config.data, "validation").set_index("image_id")
    everything = samples.draw(tiny_config.data, "validation", 10_000)
    assert len(everything) == len(table)
    for one in everything:
        assert one.label == table.loc[one.image_id, "label"]
        assert len(one.data) == table.loc[one.image_id, "file_bytes"]
