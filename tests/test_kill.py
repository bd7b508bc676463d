"""The kill switch of a real process: an exchange that falls silent, and one that keeps refusing."""

import json
import signal
import time
import urllib.request

import pytest
from processes import Desk

WARM = r"Parameter estimation warmed up"

pytestmark = pytest.mark.slow  # real processes


@pytest.fixture
def desk(tmp_path):
    """An exchange's place, empty at first."""
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def run_warm(desk, extra=""):
    config = desk.folder / "mm.toml"
    config.write_text(
        "[strategy]\nmin_trades = 10\nwarmup_decay_secs = 1\n"
        f"[monitoring]\nmetrics_port = 0\n{extra}"
    )
    run = desk.run("-c", str(config))
    run.wait_for(WARM)
    assert desk.wait_until(desk.open_orders)
    return run


def order_fault(desk, fault):
    asked = urllib.request.Request(
        f"{desk.url}/control",
        json.dumps({"do": "fault", "fault": fault}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:
        assert answer.status == 200


def test_rk09_feeds_that_freeze_without_a_message_pull_at_3_s_and_kill_at_5(desk):
    """No callback comes: the timer pulls, kills, proves the orders gone, exit 10."""
    desk.exchange()
    run = run_warm(desk)

    order_fault(desk, "stall")
    began = time.monotonic()
    run.wait_for("Quotes pulled")
    pulled = time.monotonic() - began
    run.wait_for("KILL SWITCH TRIGGERED")
    killed = time.monotonic() - began

    assert run.wait(60) in (10, 11), run.output()
    assert 2.0 < pulled < 4.5
    assert 4.0 < killed < 7.0
    assert "stale data" in run.output()
    assert desk.open_orders() == []


def test_an_exchange_that_goes_on_refusing_for_rate_kills(desk):
    """Ten answers of 429 within a minute; the pauses after each must not hide them."""
    desk.exchange()
    run = run_warm(desk)

    order_fault(desk, "429")
    run.wait_for("KILL SWITCH TRIGGERED", 60)

    assert "rate limit errors: 10 in 60 s" in run.output()
    run.signal(signal.SIGTERM)
    assert run.wait(60) in (10, 11), run.output()
