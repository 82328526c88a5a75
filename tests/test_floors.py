"""The architecture: imports run downward only, and each room owns its packages."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "enhance_cli"

FLOORS = {
    "cli": 6,
    "training": 5,
    "cloud": 5,
    "batch": 4,
    "evaluation": 4,
    "inference": 3,
    "data": 3,
    "models": 2,
    "imaging": 2,
    "config": 1,
    "run_records": 1,
    "available_memory": 1,
    "errors": 0,
    "atomic_write": 0,
    "time_limit": 0,
    "freed_memory": 0,
    "garbage": 0,
}
"""A room imports from lower floors only; rooms of one floor do not import each other."""

FORBIDDEN = {"batch": {"data", "training", "evaluation"}}
"""What a room must not import although it lies below."""

OWNERS = {
    "typer": {"cli"},
    "rich": {"cli"},
    "lightning_fabric": {"training"},
    "timm": {"training"},
    "filelock": {"batch"},
    "watchfiles": {"batch"},
    "obstore": {"cloud"},
    "ray": {"cloud"},
    "safetensors": {"inference"},
    "onnxruntime": {"inference"},
    "onnxscript": {"inference"},  # in the exporter alone, which comes with the extra `test`
    "onnx_ir": {"inference"},
    "platformdirs": {"inference", "data", "batch"},
    "torchvision": {"models"},
    "PIL": {"imaging"},
    "pillow_heif": {"imaging"},
    "rawpy": {"imaging"},
    "piexif": {"imaging"},
    "tifffile": {"imaging"},
    "imagecodecs": {"imaging"},
    "simplejpeg": {"imaging"},
    "numba": {"imaging"},
    "psutil": {"available_memory"},
    "skimage": {"imaging", "batch"},  # batch: the photos of `enhance demo`
}
"""The rooms that may import a package."""

SHARED = {"torch", "numpy"}
"""Packages that every room above `config` may import."""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "lightning_fabric": "lightning-fabric",
    "pillow_heif": "pillow-heif",
    "onnx_ir": "onnxscript",
}
"""Names on PyPI, where they differ from the import's."""

MAX_MODULES = 14

ROOMS = sorted(path for path in PACKAGE.rglob("*") if (path / "__init__.py").is_file())
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)
EVERY_MODULE = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_every_room_has_a_floor():
    assert {room_of(path) for path in MODULES} <= FLOORS.keys()


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_run_downward(path):
    room = room_of(path)
    for name in imports(path):
        package, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if package == "enhance_cli" and other in FLOORS and other != room:
            assert FLOORS[other] < FLOORS[room], f"{room} imports {name}"
            assert other not in FORBIDDEN.get(room, ()), f"{room} imports {name}"


def test_training_does_not_import_the_whole_evaluator():
    for path in (PACKAGE / "training").glob("*.py"):
        evaluation = {name for name in imports(path) if name.startswith("enhance_cli.evaluation")}
        assert all(name.startswith("enhance_cli.evaluation.scoring.") for name in evaluation)


def test_no_module_imports_itself_through_others():
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in EVERY_MODULE}
    modules |= {name.removesuffix(".__init__") for name in modules}
    graph: dict[str, set[str]] = {}
    for path in EVERY_MODULE:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        used = {one if one in modules else one.rpartition(".")[0] for one in imports(path)}
        # The package's own __init__ offers names of other modules, all of them imported late.
        graph[name] = {one for one in used & modules if one != "enhance_cli"} - {name}
    graph["enhance_cli"] = set()
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the modules


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_is_read_at_a_glance(room):
    modules = [path for path in room.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MAX_MODULES, [path.name for path in modules]


@pytest.mark.parametrize("path", EVERY_MODULE, ids=named)
def test_every_package_is_declared_and_owned(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    entries = [*project["dependencies"], *project["optional-dependencies"]["cluster"]]
    entries += project["optional-dependencies"]["cloud"]
    entries += [one for one in project["optional-dependencies"]["test"] if "onnxscript" in one]
    declared = {re.split(r"[><=\[]", entry)[0] for entry in entries}
    for name in imports(path):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "enhance_cli":
            continue
        assert DISTRIBUTIONS.get(top, top) in declared, f"{named(path)} imports {name}, undeclared"
        assert top in SHARED or room_of(path) in OWNERS[top], f"{named(path)} imports {name}"


@pytest.mark.parametrize("path", [p for p in EVERY_MODULE if FLOORS.get(room_of(p), 9) <= 1])
def test_the_ground_floor_uses_the_standard_library_and_what_it_owns(path):
    allowed = {"enhance_cli"} | {one for one, rooms in OWNERS.items() if room_of(path) in rooms}
    for name in imports(path):
        top = name.partition(".")[0]
        assert top in sys.stdlib_module_names or top in allowed, f"{path} imports {name}"


def test_onnx_runtime_is_imported_only_where_its_telemetry_is_switched_off():
    own = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    found = [
        path.name for path in own if any(one.startswith("onnxruntime") for one in imports(path))
    ]
    assert found == ["onnx_runtime.py"]


def test_nothing_below_cli_prints():
    for path in MODULES:
        if room_of(path) != "cli":
            calls = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call))
            assert not any(isinstance(c.func, ast.Name) and c.func.id == "print" for c in calls)


def test_rooms_hold_a_docstring_and_no_code():
    for room in ROOMS:
        body = ast.parse((room / "__init__.py").read_text()).body
        assert len(body) == 1 and isinstance(body[0], ast.Expr), room
    assert not {"utils", "helpers", "common", "misc"} & {path.stem for path in MODULES}


def test_tests_mirror_the_rooms():
    for room in ROOMS:
        folder = ROOT / "tests" / room.relative_to(PACKAGE)
        assert list(folder.glob("test_*.py")), f"{room.relative_to(ROOT)} has no tests"


LOOK = """
import contextlib, importlib, json, logging, sys, warnings
import numpy, torch
from PIL import Image

def state():
    return {
        "pillow's limit": Image.MAX_IMAGE_PIXELS,
        "pillow's formats": sorted(Image.OPEN),
        "pillow's writers": sorted(Image.SAVE),
        "pillow's suffixes": sorted(Image.EXTENSION),
        "warnings": [str(one) for one in warnings.filters],
        "log levels": {n: logging.getLogger(n).level for n in ("root", "lightning_fabric", "PIL")},
        "numpy's errors": numpy.geterr(),
        "torch's threads": torch.get_num_threads(),
        "torch's dtype": str(torch.get_default_dtype()),
        "tf32": torch.backends.cuda.matmul.allow_tf32,
    }

own, others = json.loads(sys.argv[1])
for name in others:  # what they change when they are imported is their own affair
    module, _, member = name.rpartition(".")
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
    with contextlib.suppress(ImportError, ValueError):
        getattr(importlib.import_module(module), member, None)  # some load their members late
Image.init()
before = state()
for name in own:
    importlib.import_module(name)
print(json.dumps([before, state()]))
"""


def test_importing_changes_nothing_in_other_libraries():
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in EVERY_MODULE]
    modules = [name for name in modules if not name.endswith(("__init__", "__main__"))]
    used = set().union(*(imports(path) for path in EVERY_MODULE))
    others = {name for name in used if not name.startswith("enhance_cli")}
    arguments = json.dumps([["enhance_cli", *modules], sorted(others)])
    looked = subprocess.run(
        [sys.executable, "-c", LOOK, arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = json.loads(looked.stdout.splitlines()[-1])
    assert after == before
