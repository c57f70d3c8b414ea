"""What a model file holds, read without running anything of it: operators, signatures, sizes, hashes.

A SavedModel is a program: its operators can read and write files or open connections, when it is loaded as well as when
it is asked. A TFLite file has no such operators of its own, and a `.keras` file can name Python code.
"""

import collections
from collections.abc import Iterable, Iterator
import dataclasses
import io
import json
import pathlib
from typing import Any
import zipfile

from ctcov_tf import errors, files

REMEDY = "name a SavedModel folder, a .tflite or .keras file, a run directory or a folder of versions"
MOST_FILES = 10_000

_TOUCHING = (
    "File",  # ReadFile, WriteFile, MatchingFiles, InitializeTableFromTextFile, CreateSummaryFileWriter ...
    "TFRecord",
    "TextLine",
    "Summary",
    "Save",
    "Restore",
    "Checkpoint",
    "Filesystem",
    "Library",
    "PyFunc",
    "Rpc",
    "Grpc",
    "DataService",
    "BigQuery",
    "Bigtable",
    "Kafka",
    "Pubsub",
    "Sql",
    "Debug",
    "ImmutableConst",
    "Send",
    "Recv",
    "Collective",
    "Socket",
    "Http",
    "Cache",
    "Snapshot",
    "Lmdb",
    "AssetPath",
    "Worker",
    "Remote",
)
"""Parts of the names of TensorFlow's operators that read or write files, or talk to other machines."""

_SAVING = ("SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename")
"""Operators that every SavedModel holds for its own variables, in what loads and saves them."""

_PACKAGES = ("keras", "ctcov_tf")
"""Packages of Python whose layers a `.keras` file may name."""


@dataclasses.dataclass(frozen=True)
class Inspected:
    """What was found in a model.

    Attributes:
      place: of the model.
      kind: `SavedModel`, `TFLite` or `Keras`.
      operators: how often each stands in it; of Keras the layers.
      signatures: names of its inputs and outputs, by the signature's name.
      files: size in bytes and SHA-256 of every file, by its name.
      touching: operators that can touch files or the network, or name code that is not this package's; why, in words.
    """

    place: str
    kind: str
    operators: dict[str, int]
    signatures: dict[str, dict[str, list[str]]]
    files: dict[str, dict[str, Any]]
    touching: tuple[str, ...]


def inspect(path: pathlib.Path) -> list[Inspected]:
    """Looks into every model at a path.

    Args:
      path: a SavedModel folder, a TFLite or Keras file, or a folder that holds such.

    Raises:
      CtcovError: there is none, or one is damaged.
    """
    found = [_inspected(place) for place in sorted(_models(path))]
    if not found:
        raise errors.CtcovError(f"{path}: {'no model in it' if path.exists() else 'no such model'}: {REMEDY}")
    return found


def as_text(found: Inspected) -> str:
    """The same for people.

    Args:
      found: what was found in a model.
    """
    lines = [f"{errors.printable(found.place)}: {found.kind}"]
    for name, ends in found.signatures.items():
        lines.append(f"  signature {name}: {', '.join(ends['inputs'])} -> {', '.join(ends['outputs'])}")
    named = (f"{name} {count}" for name, count in sorted(found.operators.items()))
    lines.append(f"  {'layers' if found.kind == 'Keras' else 'operators'}: {errors.printable(', '.join(named))}")
    for name, file in found.files.items():
        lines.append(f"  {file['sha256'][:16]}  {file['bytes']:>12,} bytes  {errors.printable(name)}")
    lines += [f"  can touch: {errors.printable(one)}" for one in found.touching]
    if not found.touching:
        lines.append("  no operator in it is known to touch files or the network")
    return "\n".join(lines)


def _models(path: pathlib.Path) -> Iterator[pathlib.Path]:
    if path.is_file():
        yield path
        return
    for place in path.rglob("*"):
        if place.name == "saved_model.pb":
            yield place.parent
        elif place.suffix in (".tflite", ".keras") and place.is_file():
            yield place


def _inspected(place: pathlib.Path) -> Inspected:
    if place.is_dir():
        return _saved_model(place)
    content = _bytes(place)
    if content[4:8] == b"TFL3":
        return _tflite(place, content)
    if zipfile.is_zipfile(io.BytesIO(content)):
        return _keras(place, content)
    raise errors.CtcovError(f"{place}: neither a TFLite nor a Keras file: {REMEDY}")


def _bytes(place: pathlib.Path) -> bytes:
    try:
        return files.read_bytes(place)
    except OSError as error:
        raise errors.CtcovError(f"{place}: {error.strerror}: {REMEDY}") from error


def _hashes(folder: pathlib.Path, found: Iterable[pathlib.Path]) -> dict[str, dict[str, Any]]:
    listed = sorted(place for place in found if place.is_file())
    if len(listed) > MOST_FILES:
        raise errors.CtcovError(f"{folder}: more than {MOST_FILES:,} files: {REMEDY}")
    return {
        place.relative_to(folder).as_posix(): {"bytes": place.stat().st_size, "sha256": files.sha256(place)}
        for place in listed
    }


def _saved_model(folder: pathlib.Path) -> Inspected:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework import op_def_registry

    content = saved_model_pb2.SavedModel()
    try:
        content.ParseFromString(_bytes(folder / "saved_model.pb"))
    except DecodeError as error:
        raise errors.CtcovError(f"{folder}: damaged SavedModel ({errors.one_line(error)}): export it again") from error
    operators: collections.Counter[str] = collections.Counter()
    signatures: dict[str, dict[str, list[str]]] = {}
    touching: dict[str, None] = {}
    for graph in content.meta_graphs:
        functions = {function.signature.name: function for function in graph.graph_def.library.function}
        saving = _saving_functions(graph, functions)
        parts = [("", graph.graph_def.node), *((name, function.node_def) for name, function in functions.items())]
        for name, nodes in parts:
            for node in nodes:
                if node.op in functions:
                    continue
                operators[node.op] += 1
                if node.op in _SAVING and (name in saving or not name):
                    continue
                if any(word in node.op for word in _TOUCHING) or _prints_to_file(node):
                    touching[f"{node.op}, in {name or 'the main graph'}"] = None
                elif op_def_registry.get(node.op) is None:
                    touching[f"{node.op}, in {name or 'the main graph'}: not an operator of TensorFlow"] = None
        for name, signature in graph.signature_def.items():
            signatures[name] = {"inputs": sorted(signature.inputs), "outputs": sorted(signature.outputs)}
    return Inspected(
        str(folder),
        "SavedModel",
        dict(operators),
        dict(sorted(signatures.items())),
        _hashes(folder, folder.rglob("*")),
        tuple(touching),
    )


def _saving_functions(graph: Any, functions: dict[str, Any]) -> set[str]:
    """Functions that only what saves and restores the variables calls."""
    saver = {
        name.partition(":")[0]
        for name in (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name, "saver_filename")
    }
    called: dict[str, set[str]] = {
        name: {called for node in function.node_def for called in _called(node, functions)}
        for name, function in functions.items()
    }

    def reached(names: Iterable[str]) -> set[str]:
        left, found = list(names), set()
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += called[name]
        return found

    by_saver = reached(one for node in graph.graph_def.node if node.name in saver for one in _called(node, functions))
    by_others = reached(
        one for node in graph.graph_def.node if node.name not in saver for one in _called(node, functions)
    )
    return by_saver - by_others


def _called(node: Any, functions: dict[str, Any]) -> set[str]:
    named = {value.func.name for value in node.attr.values() if value.HasField("func")}
    named |= {one.name for value in node.attr.values() for one in value.list.func}
    return {name for name in (*named, node.op) if name in functions}


def _prints_to_file(node: Any) -> bool:
    return node.op == "PrintV2" and node.attr["output_stream"].s.startswith(b"file://")


def _tflite(place: pathlib.Path, content: bytes) -> Inspected:
    from ai_edge_litert import schema_py_generated as schema

    operators: collections.Counter[str] = collections.Counter()
    signatures: dict[str, dict[str, list[str]]] = {}
    touching: dict[str, None] = {}
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        codes = []
        for code in model.operatorCodes or ():
            kind = max(code.builtinCode, code.deprecatedBuiltinCode)
            custom = code.customCode.decode("utf-8", "replace") if code.customCode else None
            codes.append(custom or names.get(kind, str(kind)))
            if custom:
                touching[f"{custom}: an operator that LiteRT does not bring"] = None
        for graph in model.subgraphs or ():
            operators.update(codes[operator.opcodeIndex] for operator in graph.operators or ())
        for signature in model.signatureDefs or ():
            ends = {"inputs": signature.inputs or (), "outputs": signature.outputs or ()}
            signatures[signature.signatureKey.decode("utf-8", "replace")] = {
                end: sorted(tensor.name.decode("utf-8", "replace") for tensor in tensors)
                for end, tensors in ends.items()
            }
        if not operators:
            raise ValueError("no operator")
    except Exception as error:  # flatbuffers checks nothing that it reads
        raise errors.CtcovError(f"{place}: damaged TFLite model ({type(error).__name__}): export it again") from error
    return Inspected(str(place), "TFLite", dict(operators), signatures, _hashes(place.parent, [place]), tuple(touching))


def _keras(place: pathlib.Path, content: bytes) -> Inspected:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open("config.json") as file:
            text = file.read(files.MAX_BYTES)
        config = json.loads(text)
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, NotImplementedError) as error:
        raise errors.CtcovError(f"{place}: damaged Keras file ({type(error).__name__}): train it again") from error
    layers: collections.Counter[str] = collections.Counter()
    touching: dict[str, None] = {}
    left = [config]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            left += one.values()
            name = one.get("class_name")
            if not isinstance(name, str):
                continue
            layers[name] += 1
            module = str(one.get("module") or "").partition(".")[0]
            package = str(one.get("registered_name") or "").partition(">")[0]
            if name in ("__lambda__", "Lambda"):
                touching[f"{name}: Python code in the file"] = None
            elif module and module not in _PACKAGES and module != "builtins":
                touching[f"{one['module']}.{name}: code that is imported"] = None
            elif not module and package and package not in _PACKAGES and package != name:
                touching[f"{one['registered_name']}: a layer of another package"] = None
    return Inspected(str(place), "Keras", dict(layers), {}, _hashes(place.parent, [place]), tuple(touching))
