"""The house stands: imports run downward only, and each room owns its packages."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "enhance_cli"

FLOORS = {
    "cli": 4,
    "engine": 3,
    "data": 2,
    "models": 1,
    "imaging": 1,
    "errors": 0,
    "config": 0,
    "files": 0,
}

OWNERS = {
    "typer": {"cli"},
    "rich": {"cli"},
    "PIL": {"imaging"},
    "numba": {"imaging"},
    "pillow_heif": {"imaging"},
    "rawpy": {"imaging"},
    "piexif": {"imaging"},
    "tifffile": {"imaging"},
    "imagecodecs": {"imaging"},
    "skimage": {"imaging", "engine"},
    "torchvision": {"models"},
    "platformdirs": {"engine"},
    "safetensors": {"engine"},
    "lightning_fabric": {"engine"},
    "click": set(),
}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", modules(), ids=named)
def test_imports_run_downward(path):
    room = path.parent.name
    for name in imports(path):
        package, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if package == "enhance_cli" and other in FLOORS and other != room:
            assert FLOORS[other] < FLOORS[room], f"{room} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=named)
def test_each_room_owns_its_packages(path):
    for name in imports(path):
        owners = OWNERS.get(name.partition(".")[0])
        assert owners is None or path.parent.name in owners, f"{named(path)} imports {name}"


@pytest.mark.parametrize("name", ["errors", "config", "files"])
def test_the_ground_floor_stands_on_the_standard_library(name):
    import sys

    for imported in imports(PACKAGE / f"{name}.py"):
        top = imported.partition(".")[0]
        assert top in sys.stdlib_module_names, f"{name} imports {imported}"


def test_nothing_below_cli_prints():
    for path in modules():
        if path.parent.name != "cli":
            calls = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call))
            assert not any(isinstance(c.func, ast.Name) and c.func.id == "print" for c in calls)


def test_rooms_hold_a_docstring_and_no_code():
    for room in ("cli", "engine", "data", "models", "imaging"):
        body = ast.parse((PACKAGE / room / "__init__.py").read_text()).body
        assert len(body) == 1 and isinstance(body[0], ast.Expr)
    assert not {"utils", "helpers", "common"} & {path.stem for path in modules()}
