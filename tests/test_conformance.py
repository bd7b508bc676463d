"""The clients that the suite's own environment has, unmodified, on the exchange in a box.

`python -m tests.conformance` runs all of them, each in an environment of its own.
"""

import re
import sys

import pytest

from tests.conformance.__main__ import CLIENTS
from tests.conformance.runner import HERE, Result, play
from tests.conformance.session import STEPS
from tests.processes import ROOT

WANTED = {"place_gtc", "fill", "stream_fills", "funding_payment", "dex_order"}


@pytest.mark.slow
@pytest.mark.parametrize("script", ["official_sdk.py", "ccxt_python.py"])
def test_a_client_passes_every_step_that_it_has(script, tmp_path):
    """What a real client cannot read or do is a defect of the exchange."""
    result = Result(script, "as installed")

    play(result, [sys.executable, HERE / "clients" / script], tmp_path)

    assert result.failures == {}
    assert set(result.told) >= WANTED


def test_the_page_has_every_client_and_every_step():
    """A step or a client that is new asks for a run of all, which writes the page."""
    page = (ROOT / "docs" / "reference" / "conformance.md").read_text()

    rows = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", page, re.MULTILINE)

    assert dict(rows) == STEPS
    assert all(f"| {name} | {package} " in page for name, (_, package) in CLIENTS.items())
