"""`ctcov audit`: from what the user named to the summary, the files and the exit code."""

import json
import pathlib

from ctcov_tf import files
from ctcov_tf.audit import audit as audit_lib
from ctcov_tf.audit import page, scan
from ctcov_tf.audit.collection import open_collection
from ctcov_tf.audit.verdict import Limits

EXIT_FINDINGS = 1
RECORD, PAGE = "audit.json", "audit.html"


def run(
    target: str,
    *,
    data_dir: str | None = None,
    out: pathlib.Path | None = None,
    as_json: bool = False,
    pictures: bool = True,
    limits: Limits | None = None,
    seed: int = 0,
) -> int:
    """Audits a dataset or folder and prints what was found.

    Args:
      target: folder of images, or TFDS name of a dataset that is built.
      data_dir: where `tfds build --data_dir` put the dataset.
      out: folder for audit.json and audit.html; None writes no file.
      as_json: whether to print the record instead of the summary.
      pictures: whether the page shows images.
      limits: what is let pass.
      seed: of folds, models and bootstrap.

    Returns:
      1 where something is above a limit, else 0.

    Raises:
      CtcovError: the target cannot be read.
    """
    collection = open_collection(target, data_dir)
    seen = scan.scan(collection)
    record = audit_lib.audit(collection, seen, limits or Limits(), seed)
    if out:
        files.write_json(out / RECORD, record)
        files.write_text(out / PAGE, page.render(record, seen if pictures else None))
    print(json.dumps(record, indent=2) if as_json else page.summary(record))
    if out and not as_json:
        print(f"page: {out / PAGE}")
    return EXIT_FINDINGS if record["verdict"]["findings"] else 0
