"""Nothing that is read can run code: no pickle, no eval, Keras models in safe mode only."""

import ast
import pathlib

import pytest

PROJECT = pathlib.Path(__file__).parent.parent
SOURCES = [PROJECT / "train.py", PROJECT / "export.py"]
SOURCES += [path for package in ("ctcov_tf", "tfds_ctcov19") for path in sorted((PROJECT / package).rglob("*.py"))]
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "jsonpickle"}
RESTRICTED = {"ctcov_tf/models/torch_file.py": {"pickle"}}
"""A state dict of PyTorch is a pickle: it is read by an unpickler that knows four names and refuses all others."""
CALLS = {"eval", "exec", "__import__", "enable_unsafe_deserialization", "from_config_unsafe"}
REQUIRED = {
    "load_model": ("safe_mode", True),
    "savez": ("allow_pickle", False),
    "savez_compressed": ("allow_pickle", False),
}


def faults(source: str, allowed: frozenset[str] | set[str] = frozenset()) -> list[str]:
    """What a module does that could run what it reads."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES - allowed]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module] if (node.module or "").split(".")[0] in MODULES - allowed else []
        elif isinstance(node, ast.Call):
            found += _call_faults(node)
    return found


def _call_faults(node: ast.Call) -> list[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    holder = getattr(node.func, "value", None)
    owner = getattr(holder, "id", getattr(holder, "attr", ""))
    given = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
    if name in CALLS and owner in ("", "config", "builtins"):
        return [name]
    if owner == "pickle" and name in ("load", "loads", "Unpickler"):
        return [f"pickle.{name}"]
    if owner in ("np", "numpy") and name == "load" and given.get("allow_pickle") is not False:
        return ["np.load without allow_pickle=False"]
    if name in REQUIRED and owner in ("np", "numpy", "saving", "models"):
        flag, value = REQUIRED[name]
        return [] if given.get(flag) is value else [f"{name} without {flag}={value}"]
    return []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_module_can_run_what_it_reads(path):
    allowed = RESTRICTED.get(str(path.relative_to(PROJECT)), set())
    assert faults(path.read_text(encoding="utf-8"), allowed) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import yaml.loader",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "numpy.savez(path, a=a)",
        "keras.saving.load_model(path, compile=False)",
        "keras.saving.load_model(path, safe_mode=False)",
        "keras.config.enable_unsafe_deserialization()",
        "eval(text)",
        "exec(text)",
    ],
)
def test_the_search_finds_what_it_is_to_find(source):
    assert faults(source)


def test_the_one_unpickler_is_restricted():
    tree = ast.parse((PROJECT / "ctcov_tf/models/torch_file.py").read_text())
    (unpickler,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "pickle.Unpickler" for base in node.bases)
    ]
    assert "find_class" in {node.name for node in unpickler.body if isinstance(node, ast.FunctionDef)}
