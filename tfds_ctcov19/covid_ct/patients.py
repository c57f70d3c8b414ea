"""Patients of COVID-CT, from the tables that come with the images."""

import csv
import dataclasses
import io

from etils import epath

from tfds_ctcov19.errors import DatasetError

COVID_TABLE, NON_COVID_TABLE, LABELS_TABLE = "COVID-CT-MetaInfo.csv", "NonCOVID-CT-MetaInfo.csv", "labels.csv"


@dataclasses.dataclass(frozen=True)
class Patient:
    """A patient as far as the archive tells.

    Attributes:
      group_id: such as `covid-1` or `noncovid-medpix_patient_38`.
      age: years, -1 where unknown or no number (`40+`, `Young Child`).
      sex: `M`, `F` or empty where unknown.
    """

    group_id: str
    age: int = -1
    sex: str = ""


def read_patients(root: epath.Path) -> dict[tuple[str, str], Patient]:
    """Reads the patient of every image.

    The collection's own two tables are taken if both are there, else `labels.csv`. In the table of the COVID-19
    images 83 file names lack their `.png`.

    Args:
      root: folder of the tables.

    Returns:
      Patients by (`COVID` or `NonCOVID`, file name).

    Raises:
      DatasetError: no table, or one without the columns that it needs.
    """
    try:
        if (root / COVID_TABLE).exists() and (root / NON_COVID_TABLE).exists():
            return _from_meta_info(root)
        if (root / LABELS_TABLE).exists():
            return {
                (row["class"], row["filename"].rpartition("/")[2]): _patient(row["patientid"], row["age"], row["sex"])
                for row in _rows(root / LABELS_TABLE)
            }
    except KeyError as error:
        raise DatasetError(
            f"covid_ct: {root}: a table lacks the column {error}: give the tables as published"
        ) from error
    raise DatasetError(
        f"covid_ct: {root}: no patient ids: put {COVID_TABLE} and {NON_COVID_TABLE} there "
        "(save upstream's .xlsx table as .csv)"
    )


def _from_meta_info(root: epath.Path) -> dict[tuple[str, str], Patient]:
    patients = {}
    for row in _rows(root / COVID_TABLE):
        name = row["File name"].strip()
        if name:  # the last row continues a caption
            number = row["Patient ID"].removeprefix("Patient").strip()
            patient = _patient(f"covid-{number}", row["Age"], row["Gender"])
            patients["COVID", name] = patient
            patients.setdefault(("COVID", f"{name}.png"), patient)
    for row in _rows(root / NON_COVID_TABLE):
        patients["NonCOVID", row["image name"].strip()] = _patient(f"noncovid-{row['patient id'].strip()}", "", "")
    return patients


def _rows(table: epath.Path) -> csv.DictReader:
    return csv.DictReader(io.StringIO(table.read_bytes().decode("utf-8-sig"), newline=""))


def _patient(group_id: str, age: str, sex: str) -> Patient:
    return Patient(group_id, int(age) if age.strip().isdigit() else -1, sex.strip())
