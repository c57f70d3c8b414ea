"""Zip files unpacked whole or not at all, into a folder that is named after their content."""

import hashlib
import os
import posixpath
import shutil
import uuid
import zipfile

from etils import epath

from tfds_ctcov19.errors import DatasetError

MAX_RATIO = 20
"""Bytes unpacked for each byte packed, above `FREE_BYTES`: files of images hardly shrink, and zip bombs do."""

FREE_BYTES = 100 << 20
"""Archives of fewer bytes, unpacked, may shrink as they like: tables do."""

MAX_FILES = 1_000_000


def unpack(archive: epath.Path, folder: epath.Path) -> epath.Path:
    """Unpacks a zip file.

    The folder's name holds the hash of the archive, so that another archive of the same name is unpacked anew. Hidden
    files, as macOS adds them, are left out.

    Args:
      archive: the zip file.
      folder: where unpacked archives are kept.

    Returns:
      The folder with its content.

    Raises:
      DatasetError: it is damaged, encrypted, a zip bomb, larger than what is free, or has names that lead out of the
        folder or stand in it twice.
    """
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    place = folder / f"{archive.name}.{digest[:16]}"
    if place.exists():
        return place
    unfinished = folder / f"incomplete.{uuid.uuid4().hex}"
    try:
        with archive.open("rb") as file, zipfile.ZipFile(file) as packed:  # type: ignore[arg-type]
            members = _checked(packed, archive, folder)
            for name, member in members.items():
                target = unfinished / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as source, target.open("wb") as written:
                    shutil.copyfileobj(source, written)
        unfinished.mkdir(parents=True, exist_ok=True)
        unfinished.rename(place)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise DatasetError(f"{archive}: cannot be unpacked ({' '.join(str(error).split())}): fetch it again") from error
    finally:
        if unfinished.exists():
            unfinished.rmtree()
    return place


def _checked(packed: zipfile.ZipFile, archive: epath.Path, folder: epath.Path) -> dict[str, zipfile.ZipInfo]:
    """The files to unpack, by name; what the archive's directory says is held to the limits before any is read."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in packed.infolist():
        name = posixpath.normpath(member.filename)
        if posixpath.isabs(name) or name.split("/")[0] == ".." or "\\" in name:
            raise DatasetError(f"{archive}: {member.filename!r} leads out of the archive: get it from its authors")
        if member.is_dir() or posixpath.basename(name).startswith("."):
            continue
        if name in members:
            raise DatasetError(f"{archive}: holds {name} twice: get it from its authors")
        members[name] = member
    size = sum(member.file_size for member in members.values())
    packed_size = archive.stat().length
    if len(members) > MAX_FILES or (size > FREE_BYTES and size > MAX_RATIO * packed_size):
        raise DatasetError(
            f"{archive}: {packed_size:,} bytes that unpack to {size:,} in {len(members):,} files, which no archive of "
            "images does: get it from its authors"
        )
    existing = next((place for place in (folder, *folder.parents) if place.exists()), None)
    free = shutil.disk_usage(os.fspath(existing)).free if existing and "://" not in os.fspath(existing) else size
    if size > free:
        raise DatasetError(
            f"{archive}: unpacks to {size:,} bytes, {free:,} are free in {folder}: free some space, or name another "
            "--download_dir"
        )
    return members
