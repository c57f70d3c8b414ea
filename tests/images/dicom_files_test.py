from ctcov_tf.images import dicom_files

DICOM = bytes(128) + b"DICM" + bytes(10)


def test_dicom_is_known_by_its_content():
    assert dicom_files.is_dicom(DICOM)
    assert not dicom_files.is_dicom(DICOM[:131])
    assert not dicom_files.is_dicom(b"DICM")


def test_folders_are_searched_and_everything_else_is_left_to_others(tmp_path):
    study = tmp_path / "study"
    for name in ("b/2", "b/10.dcm", "a/x.png"):
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        (study / name).write_bytes(DICOM)
    (study / "notes.txt").write_text("notes")
    (study / "circle").symlink_to(study)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.png").write_bytes(b"\x89PNG")
    single, image, missing = tmp_path / "one", tmp_path / "c.png", tmp_path / "missing.png"
    single.write_bytes(DICOM)
    image.write_bytes(b"\x89PNG")
    found, others = dicom_files.find([image, study, single, missing, pictures])
    assert found == [study / "a/x.png", study / "b/10.dcm", study / "b/2", single]
    assert others == [image, missing, pictures]
