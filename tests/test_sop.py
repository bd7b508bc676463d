"""Every promise of the operating procedures names the test that executes it; nothing is left out.

The other way round too: an option, a setting, a metric or an alert without a row fails.
"""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from hypermm import config
from hypermm.cli.options import PROCESS, SETTINGS
from hypermm.metrics import COUNTERS, GAUGES

ROOT = Path(__file__).resolve().parent.parent
ROWS = tomllib.loads((ROOT / "tests" / "sop.toml").read_text())["row"]
IDS = {row["id"] for row in ROWS}


def names_of(path: Path) -> set[str]:
    """The names of the tests in a file."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_promise_names_a_test_that_exists(row):
    """A row that points nowhere is a promise that nobody keeps."""
    path, _, name = row["test"].partition("::")

    assert row["says"]
    assert (ROOT / path).is_file(), path
    assert name.partition("[")[0] in names_of(ROOT / path), row["test"]


def test_no_promise_stands_twice():
    assert len(IDS) == len(ROWS)


@pytest.mark.parametrize("dotted", [dotted for dotted, _ in config.settings()])
def test_every_setting_has_a_promise(dotted):
    assert f"4.2 {dotted}" in IDS


@pytest.mark.parametrize("option", [option for option, *_ in (*SETTINGS, *PROCESS)])
def test_every_option_has_a_promise(option):
    assert f"4.3 {option}" in IDS


def test_every_metric_has_a_promise():
    served = {name for name, _, _ in GAUGES} | {f"{name}_total" for name, _, _ in COUNTERS}
    assert sorted(name for name in served if f"7.1 {name}" not in IDS) == []


def test_every_alert_of_the_procedures_is_shipped():
    rules = (ROOT / "deploy" / "prometheus" / "rules.yml").read_text()
    shipped = set(re.findall(r"alert: (\w+)", rules))
    promised = {i.removeprefix("7.4 ") for i in IDS if i.startswith("7.4 ") and i[4].isupper()}
    assert promised <= shipped
