import numpy as np
from PIL import Image

from ctcov_tf import RESEARCH_USE
from ctcov_tf.evaluation import panels


def test_panels_keep_shape_and_place():
    wide = np.full((50, 100), 200, np.uint8)
    red = np.zeros((300, 300, 3), np.uint8)
    red[..., 0] = 255
    sheet = np.asarray(panels.draw([wide, red], ["one", "two"], "footer"))
    first = sheet[panels.GAP : panels.GAP + panels.SIDE, panels.GAP : panels.GAP + panels.SIDE]
    assert (first[..., 0] == 200).sum() == panels.SIDE * panels.SIDE // 2
    left = 2 * panels.GAP + panels.SIDE
    second = sheet[panels.GAP : panels.GAP + panels.SIDE, left : left + panels.SIDE]
    np.testing.assert_array_equal(second, np.broadcast_to([255, 0, 0], second.shape))


def test_notice_is_drawn_and_stored(tmp_path):
    panels.save(panels.draw([np.zeros((9, 9), np.uint8)], [""], ""), tmp_path / "case.png")
    with Image.open(tmp_path / "case.png") as image:
        assert image.text["Description"] == RESEARCH_USE
        last_line = np.asarray(image)[-panels.LINE - panels.GAP :]
    assert last_line.max() > 100


def test_a_footer_of_two_lines_has_room():
    one, two = (panels.draw([np.zeros((9, 9), np.uint8)], [""], footer).height for footer in ("a", "a\nb"))
    assert two == one + panels.LINE


def test_one_pixel_and_thin_images_are_drawn():
    for shape in ((1, 1), (1, 900), (900, 1, 3)):
        panels.draw([np.zeros(shape, np.uint8)], ["x"], "y")


def test_to_uint8_stretches():
    image = np.repeat(np.array([[-2.0, 0.0], [1.0, 2.0]])[..., None], 3, axis=2)
    np.testing.assert_array_equal(panels.to_uint8(image), [[0, 128], [191, 255]])
    np.testing.assert_array_equal(panels.to_uint8(np.ones((2, 2, 3))), np.zeros((2, 2)))
