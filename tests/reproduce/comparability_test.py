import dataclasses

from ctcov_tf.reproduce import arms, comparability
from ctcov_tf.reproduce.paper_tables import TABLES
from ctcov_tf.reproduce.protocol import Protocol

PROTOCOL = Protocol("covid_ct", image_size=128, epochs=24)
OURS = arms.method("deep_ct_net_slim", PROTOCOL)


def test_the_official_test_part_is_the_same_but_the_training_is_not():
    found = comparability.of(OURS, TABLES["table5"], PROTOCOL)
    assert found.verdict == comparability.WITH_CARE
    assert "random weights, 128 px where the paper has 256, 24 epochs" in found.reasons
    assert "attention slim here, at full width in the paper" in found.reasons


def test_other_images_can_not_be_compared():
    found = comparability.of(OURS, TABLES["table5"], dataclasses.replace(PROTOCOL, dataset="phantom/tiny"))
    assert found.verdict == comparability.NOT_COMPARABLE
    assert found.reasons[0] == "judged on phantom/tiny, not covid_ct"
    archive = dataclasses.replace(PROTOCOL, dataset="ctcov19/as_released")
    assert "7610 images" in str(comparability.of(OURS, TABLES["table3"], archive))


def test_quoted_figures_can_not_be_compared():
    protocol = dataclasses.replace(PROTOCOL, dataset="ctcov19/grouped", judged_on="covid_ct")
    arm = dataclasses.replace(OURS, name="resnet50")
    found = comparability.of(arm, TABLES["table4"], protocol)
    assert found.verdict == comparability.NOT_COMPARABLE
    assert any("reference 46" in reason for reason in found.reasons)


def test_approximations_are_told_of_every_method():
    arm = dataclasses.replace(OURS, name="hybrid_3d", notes=("approximated: in some way",))
    for table in ("table3", "table5"):
        found = comparability.of(arm, TABLES[table], PROTOCOL)
        assert "approximated: in some way" in found.reasons
    assert found.verdict == comparability.NOT_GIVEN


def test_what_the_paper_contradicts_is_told():
    arm = dataclasses.replace(OURS, name="caad")
    protocol = dataclasses.replace(PROTOCOL, dataset="covid_cxr")
    assert any("0.929" in reason for reason in comparability.of(arm, TABLES["table6"], protocol).reasons)


def test_the_papers_own_settings_leave_nothing_to_say_of_size_or_attention():
    protocol = dataclasses.replace(PROTOCOL, image_size=256, weights="imagenet")
    found = comparability.of(arms.method("deep_ct_net", protocol), TABLES["table5"], protocol)
    assert found.reasons == ("ImageNet weights, 256 px, 24 epochs",)


def test_another_backbone_than_the_papers_is_told():
    protocol = dataclasses.replace(PROTOCOL, dataset="covid_cxr")
    for preset, told in (("deep_cxr_net_edge", True), ("deep_cxr_net_slim", False)):
        found = comparability.of(arms.method(preset, protocol), TABLES["table6"], protocol)
        assert ("EfficientNet-Lite here, DenseNet-121 in the paper" in found.reasons) == told
