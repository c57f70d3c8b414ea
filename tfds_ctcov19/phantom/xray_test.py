import cv2
import numpy as np
import pytest

from tfds_ctcov19.phantom import body, findings, testing, xray

SIZES = (64, 112)


@pytest.fixture(scope="module")
def radiographs() -> list[xray.Radiograph]:
    """Three hundred patients, sixty of them with two radiographs."""
    return [xray.expose(index, SIZES) for index in range(360)]


def test_radiograph_depends_on_its_number_alone():
    alone = xray.expose(16, SIZES)
    for index in (3, 15):
        xray.expose(index, SIZES)
    again = xray.expose(16, SIZES)
    np.testing.assert_array_equal(alone.image, again.image)
    np.testing.assert_array_equal(alone.lesion_mask, again.lesion_mask)
    assert (alone.present, alone.findings) == (again.present, again.findings)


def test_patients_of_two_parts_of_the_population_differ():
    here, there = xray.expose(4, (96, 96)), xray.expose(4, (96, 96), first_patient=100)
    assert here.patient != there.patient
    assert not np.array_equal(here.image, there.image)


def test_second_radiograph_is_of_the_same_person_in_another_pose():
    first, second = xray.expose(4, SIZES), xray.expose(5, SIZES)
    assert (first.patient, first.label, first.present) == (second.patient, second.label, second.present)
    assert (first.number, second.number) == (0, 1)
    assert first.image.shape == second.image.shape
    assert not np.array_equal(first.image, second.image)
    assert xray.expose(6, SIZES).patient == first.patient + 1


def test_pneumonia_of_two_classes_is_the_other_pneumonia_of_three():
    three = xray.expose(1, (80, 80))
    two = xray.expose(0, (80, 80), classes=xray.PNEUMONIA_CLASSES, first_patient=three.patient)
    assert (three.label, two.label) == ("other_pneumonia", "pneumonia")
    np.testing.assert_array_equal(three.image, two.image)


def test_masks_lie_where_the_class_says(radiographs):
    sides: dict[str, list[bool]] = {label: [] for label in xray.CLASSES}
    for radiograph in radiographs:
        assert set(np.unique(radiograph.lesion_mask)) <= {0, 255}
        half = radiograph.lesion_mask.shape[1] // 2
        left, right = radiograph.lesion_mask[:, :half].any(), radiograph.lesion_mask[:, half:].any()
        assert (left or right) == (radiograph.label != "normal")
        sides[radiograph.label].append(left and right)
    assert np.mean(sides["covid19"]) > 0.95
    assert np.mean(sides["other_pneumonia"]) < 0.35


def test_class_implies_the_finding_pneumonia_and_findings_occur_together(radiographs):
    for radiograph in radiographs:
        assert ("pneumonia" in radiograph.present) == (radiograph.label != "normal")
        assert "consolidation" not in radiograph.present or radiograph.label != "normal"
    table = np.array([[name in radiograph.present for name in findings.FINDINGS] for radiograph in radiographs])
    assert np.all((table.mean(axis=0) > 0.15) & (table.mean(axis=0) < 0.75))
    together = np.corrcoef(table, rowvar=False)
    heart, edema = findings.FINDINGS.index("cardiomegaly"), findings.FINDINGS.index("edema")
    assert together[heart, edema] > 0.2
    assert np.abs(together - np.eye(len(table.T))).max() < 0.7


def test_reports_hedge_and_omit_whatever_the_truth():
    rng = np.random.default_rng(0)
    states = {
        present: np.array([findings.record(present, rng) for _ in range(3000)]).ravel()
        for present in (frozenset(), frozenset(findings.FINDINGS))
    }
    for present, recorded in states.items():
        assert np.mean(recorded == "uncertain") == pytest.approx(findings.UNCERTAIN, abs=0.01)
        assert np.mean(recorded == "unmentioned") == pytest.approx(findings.UNMENTIONED, abs=0.01)
        assert ("positive" in recorded, "negative" in recorded) == (bool(present), not present)


def test_findings_move_the_anatomy():
    def draw(*present):
        return body.Patient.draw(frozenset(present), np.random.default_rng(1))

    healthy, wide, collapsed = draw(), draw("cardiomegaly"), draw("atelectasis")
    assert healthy.cardiothoracic < 0.5 < wide.cardiothoracic
    assert sum(collapsed.raised) > sum(healthy.raised) + 0.1
    assert (collapsed.shift - healthy.shift) * collapsed.collapsed > 0
    assert collapsed.seed == wide.seed == healthy.seed


def test_simple_measures_do_not_tell_the_class(radiographs):
    size = np.array([len(radiograph.image) for radiograph in radiographs], float)
    assert len(np.unique(size)) > 20
    corners = np.array([[image[:30, :30].max(), image[:30, -30:].max()] for image in (r.image for r in radiographs)])
    grey = testing.grey_statistics(radiographs)
    for label in xray.CLASSES:
        targets = [radiograph.label == label for radiograph in radiographs]
        assert 0.3 < testing.cross_validated_auc(np.stack([size, size**2], axis=-1), radiographs, targets) < 0.7
        assert testing.cross_validated_auc(corners, radiographs, targets) < 0.7
        assert testing.cross_validated_auc(grey, radiographs, targets) < 0.75


def test_a_linear_model_of_coarse_pictures_learns_class_and_findings(radiographs):
    coarse = [cv2.resize(cv2.equalizeHist(r.image), (16, 16), interpolation=cv2.INTER_AREA) for r in radiographs]
    pixels = np.stack(coarse).reshape(len(coarse), -1).astype(float)

    def tell(targets):
        return testing.cross_validated_auc(pixels, radiographs, targets, penalty=100)

    assert tell([radiograph.label == "covid19" for radiograph in radiographs]) > 0.75
    aucs = [tell([name in radiograph.present for radiograph in radiographs]) for name in findings.FINDINGS]
    assert np.mean(aucs) > 0.75
    assert min(aucs) > 0.6
