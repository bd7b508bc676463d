"""The rules of the house: what may import what, and where each third-party package comes in."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "hypermm"

FLOORS = [
    {"_core"},
    {"errors", "instrument", "messages", "config", "layers"},
    {"estimators", "markouts", "ledger", "orders", "recovery", "quoting", "risk", "notebook"},
    {"engine", "gate"},
    {
        "hyperliquid",
        "sim",
        "recordings",
        "journal",
        "inputs",
        "telemetry",
        "metrics",
        "supervise",
        "logbook",
        "view",
        "credentials",
    },
    {
        "backtesting",
        "report",
        "runner",
        "embedded",
        "start",
        "place",
        "operations",
        "status",
        "cancel",
        "collateral",
        "rehearsal",
        "consequences",
    },
    {"cli", "__main__"},
]
# Only `sim` and `recordings` look sideways on floor 4: at the exchange's own wire.
SIDEWAYS = {
    ("sim", "hyperliquid"),
    ("recordings", "hyperliquid"),
    ("sim", "recordings"),
    ("sim", "inputs"),
}

# Third-party package -> the rooms that are its door.
DOORS = {
    "cattrs": {"config"},
    "tomlkit": {"config"},
    "aiohttp": {"hyperliquid/client", "sim/box", "sim/hub", "sim/server", "sim/sockets"},
    "hyperliquid": {"hyperliquid/signing"},
    "eth_account": {"hyperliquid/curve", "hyperliquid/signing"},
    "coincurve": {"hyperliquid/curve"},
    "sha3": {"hyperliquid/curve"},
    "uvloop": {"start", "sim/box"},
    "pyarrow": {"recordings/files"},
    "lz4": {"recordings/files"},
    "matplotlib": {"report/plots"},
    "prometheus_client": {"metrics"},
    "rich": {"cli/tables"},
}
# Structs of the wire are msgspec's; whoever speaks the wire's language may use them.
DOORS["msgspec"] = {f"hyperliquid/{name}" for name in ("signing", "actions", "payloads")}

# Floors 0 to 3 have no clock, randomness, I/O, asyncio, threads, logging or environment.
PURE = {
    "asyncio", "concurrent", "datetime", "io", "logging", "multiprocessing", "os", "random",
    "secrets", "signal", "socket", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))
# The package's own `__init__` gives names from everywhere.
ROOMS = [path for path in FILES if path != PACKAGE / "__init__.py"]


def room(path: Path) -> str:
    relative = path.relative_to(PACKAGE).with_suffix("")
    return relative.as_posix()


def top(name: str) -> str:
    return name.split("/", maxsplit=1)[0].split(".", maxsplit=1)[0]


def floor(name: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if top(name) in rooms:
            return number
    raise AssertionError(f"hypermm/{name} stands on no floor: add it to FLOORS")


def imports(path: Path):
    """Every imported module, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.lineno, node.module or ""


@pytest.mark.parametrize("path", ROOMS, ids=room)
def test_imports_go_down(path):
    """A floor knows the floors below it; parts of floor 2 do not know each other."""
    here = room(path)
    for line, module in imports(path):
        if not module.startswith("hypermm."):
            continue
        there = module.removeprefix("hypermm.")
        if top(there) == top(here):
            continue
        allowed = floor(there) < floor(here) or (top(here), top(there)) in SIDEWAYS
        same_floor = floor(there) == floor(here) and floor(here) in {1, 5, 6}
        assert allowed or same_floor, f"{path}:{line}: {here} imports {there}"
        if floor(there) == 2:
            assert top(here) in {"engine", "__init__"} or floor(here) >= 4, (
                f"{path}:{line}: only engine knows the parts of floor 2"
            )


@pytest.mark.parametrize("path", FILES, ids=room)
def test_each_package_has_one_door(path):
    """A third-party package comes in at one place, so that it can be replaced there."""
    here = room(path)
    for line, module in imports(path):
        name = module.split(".", maxsplit=1)[0]
        doors = DOORS.get(name)
        if doors is None:
            continue
        assert here in doors, f"{path}:{line}: {name} comes in through {sorted(doors)} only"


@pytest.mark.parametrize("path", [p for p in ROOMS if floor(room(p)) < 4], ids=room)
def test_the_lower_floors_are_pure(path):
    """Time is an argument: nothing below floor 4 can read a clock, draw a number or wait."""
    here = room(path)
    for line, module in imports(path):
        name = module.split(".", maxsplit=1)[0]
        assert name not in PURE, f"{path}:{line}: floor {floor(here)} imports {name}"


def test_no_file_names_a_place_outside():
    """Recordings are found through HYPERMM_DATA; only ci.sh looks beside the checkout."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    if listing == [""]:
        pytest.skip("not a git checkout")
    outside = re.compile(r"\.\./" + "shared")
    for name in listing:
        if not name or name == "ci.sh" or name.endswith((".lock", ".npy")):
            continue
        path = ROOT / name
        if path.is_file():
            assert not outside.search(path.read_text(errors="replace")), name


def test_importing_the_package_loads_no_network_code():
    """Notebooks import the kernels; that must not open doors."""
    code = (
        "import sys, hypermm; "
        "bad = {'aiohttp','uvloop','asyncio','socket','ssl','hyperliquid','eth_account'} "
        "& set(sys.modules); print(sorted(bad))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_every_folder_of_the_package_is_in_the_wheel():
    """A folder that is not listed works in a checkout and is missing where it is installed."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("__init__.py")}
    assert sorted(listed) == sorted(folder.replace("/", ".") for folder in folders)
