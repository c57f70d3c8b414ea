"""Tables that come with the images of an archive."""

from collections.abc import Collection
import csv
import io

from etils import epath

from tfds_ctcov19.errors import DatasetError

SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
"""Splits by the names that tables give them."""


def read_rows(table: epath.Path, columns: Collection[str], filled: Collection[str] = ()) -> list[dict[str, str]]:
    """Reads a CSV file with a header.

    Args:
      table: the file; UTF-8, with or without a byte order mark.
      columns: names that must be there, lower case.
      filled: those of them that may not be empty in any row.

    Returns:
      The rows by column; names in lower case, spaces around names and cells removed, missing cells empty.

    Raises:
      DatasetError: no such file, a column that is missing, or an empty cell that has to be filled.
    """
    if not table.exists():
        raise DatasetError(f"{table}: no such table: give it with the images, as published")
    reader = csv.DictReader(io.StringIO(table.read_bytes().decode("utf-8-sig", errors="replace"), newline=""))
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    missing = [name for name in columns if name not in reader.fieldnames]
    if missing:
        raise DatasetError(f"{table}: no column {', '.join(missing)}: give the table as published")
    rows = []
    for cells in reader:
        row = {name: (cell or "").strip() for name, cell in cells.items() if name}
        empty = [name for name in filled if not row[name]]
        if empty:
            raise DatasetError(f"{table}: line {reader.line_num}: {', '.join(empty)} is empty: fill it in")
        rows.append(row)
    return rows


def there(path: epath.Path, table: epath.Path, what: str = "images") -> epath.Path:
    """Returns a file that a table lists.

    Args:
      path: of the file.
      table: that lists it.
      what: the files are, for the message.

    Raises:
      DatasetError: it is not there.
    """
    if not path.is_file():
        raise DatasetError(f"{path}: listed in {table.name} and not there: unpack all {what} beside the table")
    return path


def choose(what: str, key: str, known: Collection[str], place: str) -> str:
    """Returns a cell that has to be one of some words.

    Args:
      what: the words are: `class`.
      key: the cell.
      known: the words.
      place: table and row, for the message.

    Raises:
      DatasetError: it is another.
    """
    if key not in known:
        raise DatasetError(f"{place}: unknown {what} {key}: choose one of {', '.join(known)}")
    return key


def whole_number(text: str) -> int:
    """Returns a number without its fraction, such as an age in years; -1 where the text is no number."""
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return -1
