"""Expected numbers of high precision: cases by topic, and the comparison with their tolerances."""

import json
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent / "data" / "oracle"


def cases(topic, fn=None):
    """Load a topic's cases as pytest parameters, those of one function if it is named."""
    content = json.loads((_FOLDER / f"{topic}.json").read_text())
    return [
        pytest.param(case, id=case["id"])
        for case in content["cases"]
        if fn is None or case["fn"] == fn
    ]


def check(case, key, value):
    """Assert that a value, or each of a list, meets the case's expectation for `key`."""
    expected = case["expected"][key]
    rtol, atol = case["tol"].get("per_key", {}).get(key, (case["tol"]["rtol"], case["tol"]["atol"]))
    values, wanted = (value, expected) if isinstance(expected, list) else ([value], [expected])
    assert len(values) == len(wanted), f"{key}: {len(values)} values, expected {len(wanted)}"
    for i, (got, want) in enumerate(zip(values, wanted, strict=True)):
        if want is not None:
            assert abs(got - want) <= atol + rtol * abs(want), f"{key}[{i}]: {got}, expected {want}"
