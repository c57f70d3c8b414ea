"""Exports a run: `python export.py RUN --out DIR` writes a SavedModel and TFLite files, and verifies them."""

import pathlib
from typing import Annotated, Literal

import tyro

from ctcov_tf import RESEARCH_USE, errors, tensorflow_log

Form = Literal["saved_model", "saved_model_bfloat16", "float32", "float16", "dynamic_int8", "int8"]


def export(
    run: Annotated[pathlib.Path, tyro.conf.Positional],
    /,
    out: pathlib.Path,
    forms: tuple[Form, ...] = ("saved_model", "float32", "float16", "dynamic_int8", "int8"),
    version: int = 1,
    verify: bool = True,
    images: int = 200,
) -> None:
    """Writes OUT/<preset>/<version>/ (SavedModel) and OUT/<preset>-<version>-<form>.tflite.

    saved_model_bfloat16, in OUT/<preset>-bfloat16/<version>/, is for processors with bfloat16 instructions.

    Args:
        run: Run directory that train.py wrote.
        out: Base folder of exported models; TensorFlow Serving's model_base_path is OUT/<preset>.
        forms: What to write.
        version: Number of this export; one that is there is never overwritten.
        verify: Run every form on the same validation images and fail above the bounds.
        images: Most validation images to verify on.
    """
    from ctcov_tf import run_directory

    trained = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.export import layout, saved_model, tflite
    from ctcov_tf.export import verify as verify_lib

    exports = {
        form: saved_model.export_saved_model(trained, out, version, form) for form in saved_model.FORMS if form in forms
    }
    exports |= tflite.export_tflite(trained, out, [form for form in tflite.FORMS if form in forms], version)
    if verify:
        record = layout.verification_file(out, trained.preset, version)
        print(verify_lib.table(verify_lib.verify(trained, exports, record, limit=images)))
    for form, path in exports.items():
        print(f"{form:20}  {path}")
    print(RESEARCH_USE)


@errors.exit_cleanly
def main() -> None:
    """Parses the command line and exports."""
    tyro.cli(export, description=f"{__doc__} {RESEARCH_USE}")


if __name__ == "__main__":
    main()
