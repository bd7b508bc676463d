"""The clients that the suite's own environment has, unmodified, on the exchange in a box.

`python -m tests.conformance` runs all of them, each in an environment of its own.
"""

import sys

import pytest

from tests.conformance.runner import HERE, Result, play

WANTED = {"place_gtc", "fill", "stream_fills", "funding_payment", "dex_order"}


@pytest.mark.parametrize("script", ["official_sdk.py", "ccxt_python.py"])
def test_a_client_passes_every_step_that_it_has(script, tmp_path):
    """What a real client cannot read or do is a defect of the exchange."""
    result = Result(script, "as installed")

    play(result, [sys.executable, HERE / "clients" / script], tmp_path)

    assert result.failures == {}
    assert set(result.told) >= WANTED
