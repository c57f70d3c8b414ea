import pathlib

from ctcov_tf import processor


def test_finds_the_flags_that_linux_lists(monkeypatch):
    for flags, found in ("fma avx512_bf16 avx2", ["avx512_bf16"]), ("fma", []):
        monkeypatch.setattr(pathlib.Path, "exists", lambda _: True)
        monkeypatch.setattr(pathlib.Path, "read_text", lambda _, flags=flags: f"flags : {flags}\n")
        assert processor.bfloat16_instructions() == found


def test_none_where_nothing_is_listed(monkeypatch):
    monkeypatch.setattr(pathlib.Path, "exists", lambda _: False)
    assert processor.bfloat16_instructions() == []
