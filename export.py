"""Exports a run: `python export.py RUN --out DIR` writes a SavedModel and TFLite files, and verifies them."""

import pathlib
from typing import Annotated, Literal, get_args

import tyro

from ctcov_tf import RESEARCH_USE, errors, tensorflow_log

Form = Literal["saved_model", "saved_model_bfloat16", "float32", "float16", "dynamic_int8", "int8"]


def export(
    run: Annotated[pathlib.Path, tyro.conf.Positional],
    /,
    out: pathlib.Path,
    forms: tuple[Form, ...] = ("saved_model", "float32", "float16", "int8"),
    version: int = 1,
    verify: bool = True,
    images: int = 200,
) -> None:
    """Writes OUT/<preset>/<version>/ (SavedModel) and OUT/<preset>-<version>-<form>.tflite.

    saved_model_bfloat16, in OUT/<preset>-bfloat16/<version>/, is for processors with bfloat16 instructions;
    dynamic_int8 may not carry the input gate, whose first layer it has in 8 bits: verification says so. With a
    SavedModel, OUT also gets what starts TensorFlow Serving: models.config, batching_parameters.txt, compose.yaml.

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
    from ctcov_tf.export import layout, saved_model, serving_kit, tflite
    from ctcov_tf.export import verify as verify_lib

    serving_kit.read(out)
    for form in forms:
        layout.check_free(layout.export_path(out, trained.preset, version, form), version)
    written = tflite.export_tflite(trained, out, [form for form in tflite.FORMS if form in forms], version)
    served = [form for form in saved_model.FORMS if form in forms]
    for form in served:
        beside = written.get("float32") if form == "saved_model" else None
        written[form] = saved_model.export_saved_model(trained, out, version, form, beside)
    exports = {form: written[form] for form in get_args(Form) if form in written}
    if verify:
        record = layout.verification_file(out, trained.preset, version)
        print(verify_lib.table(verify_lib.verify(trained, exports, record, limit=images)))
    if served:
        serving_kit.write(out, [exports[form].parent.name for form in served], version)
    for form, path in exports.items():
        print(f"{form:20}  {path}")
    print(RESEARCH_USE)


@errors.exit_cleanly
def main() -> None:
    """Parses the command line and exports."""
    tyro.cli(export, description=f"{__doc__} {RESEARCH_USE}")


if __name__ == "__main__":
    main()
