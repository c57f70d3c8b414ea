import pytest

from ctcov_tf.card import claim, facts, probast
from ctcov_tf.card.unknown import Unknown


def test_the_sheets_have_the_items_of_the_publications():
    assert [item.number for item in claim.SHEET.items] == [str(number) for number in range(1, 45)]
    questions = {"1": 2, "2": 3, "3": 6, "4": 9}
    expected = [f"{domain}.{number}" for domain, count in questions.items() for number in range(1, count + 1)]
    assert [item.number for item in probast.SHEET.items] == expected


@pytest.mark.parametrize("sheet", [claim.SHEET, probast.SHEET], ids=["claim", "probast"])
def test_an_answer_names_its_file_or_is_unknown(sheet, run):
    answered = sheet.answered(facts.collect(run))
    for one in answered:
        unknown = isinstance(one["answer"], Unknown)
        assert unknown == one["answer"].startswith("unknown: ")
        assert bool(one["source"]) != unknown
    known = [one for one in answered if one["source"]]
    assert 0 < len(known) < len(answered)


def test_answers_are_facts_of_the_run(run):
    found = facts.collect(run)
    claimed = {one["number"]: one["answer"] for one in claim.SHEET.answered(found)}
    assert claimed["28"] == (
        "test, 24 images of 8 groups: AUC 0.711 [0.611, 0.811], sensitivity 0.631 [0.531, 0.731], "
        "specificity 0.651 [0.551, 0.751]"
    )
    assert "3 false positive and 4 false negative images" in claimed["39"]
    assert "train: 60 images of 20 groups" in claimed["19"]
    assert "2000 replicates" in claimed["29"]
    assert "64 x 64 pixels" in claimed["9"]
    judged = {one["number"]: one["answer"] for one in probast.SHEET.answered(found)}
    assert "the test part was read 1 times by this run" in judged["4.8"]
    assert "scaled by a temperature" in judged["4.7"]
    assert f"{found['data']['splits']['train']['by_class']['covid19']} of 60 images" in judged["4.1"]
