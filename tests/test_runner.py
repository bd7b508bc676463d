"""The loop when things go wrong around it: a defect, a lost log, a frozen exchange, a rotation."""

import json
import os
import re
import signal
import urllib.error
import urllib.request
import warnings

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from processes import ADDRESS, KEY, Desk, free_port

from hypermm.config import load
from hypermm.engine import Engine, Mode
from hypermm.start import run

WARM = "Parameter estimation warmed up"
pytestmark = pytest.mark.slow  # real processes
QUICK = "[strategy]\nmin_trades = 10\nwarmup_decay_secs = 1\n[monitoring]\nmetrics_port = 0\n"


@pytest.fixture
def desk(tmp_path):
    """An exchange at ten times the clock's speed, and a configuration that warms up at once."""
    desk = Desk(tmp_path)
    desk.exchange("--speed", "10")
    (tmp_path / "mm.toml").write_text(QUICK)
    yield desk
    desk.close()


def quoting(desk, *options):
    """A run that has orders resting."""
    started = desk.run("-c", "mm.toml", *options)
    started.wait_for(WARM)
    assert desk.wait_until(desk.open_orders)
    return started


def run_here(desk, overrides, duration_secs):
    """A run in this process, for what cannot be provoked from outside."""
    return run(
        load(desk.folder / "mm.toml", {"network.base_url": desk.url, **overrides}),
        config_path=None,
        key_argument=None,
        accepts_key_risk=False,
        log_file=None,
        duration_secs=duration_secs,
        market=None,
        environ={
            "HYPERLIQUID_PRIVATE_KEY": KEY,
            "XDG_STATE_HOME": str(desk.folder / "state"),
        },
    )


def test_a_defect_of_ours_leaves_no_order_behind(desk, monkeypatch, capsys):
    """An exception in the engine: what rests is cancelled first, then it is reported."""
    step = Engine.step

    def broken(self, batch, now_ns):
        if self.mode is Mode.QUOTING and len(self.snapshot().orders) >= 6:
            raise RuntimeError("planted")
        return step(self, batch, now_ns)

    monkeypatch.setattr(Engine, "step", broken)

    status = run_here(desk, {}, duration_secs=30)

    shown = capsys.readouterr()
    assert status == 1
    assert "Internal error" in shown.out
    assert "RuntimeError: planted" in shown.out
    assert "all own orders proved gone" in shown.err
    assert desk.open_orders() == []


def test_a_rotated_log_goes_on_in_a_new_file(desk):
    """logrotate renames and sends SIGHUP; the new file has the mode of the old one."""
    log = desk.folder / "logs" / "mm.log"
    started = quoting_to(desk, log)

    log.rename(log.with_suffix(".1"))
    started.signal(signal.SIGHUP)
    assert desk.wait_until(log.is_file)

    started.signal(signal.SIGTERM)
    assert started.wait(15) == 0
    assert "Market maker stopped" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o640


def quoting_to(desk, log):
    started = desk.run("-c", "mm.toml", "--log-file", str(log))
    assert desk.wait_until(lambda: log.is_file() and WARM in log.read_text(), 60)
    assert desk.wait_until(desk.open_orders)
    return started


def test_a_log_folder_that_vanishes_stops_nothing(desk):
    """Logging never raises: orders are cancelled and proved gone without it."""
    log = desk.folder / "logs" / "mm.log"
    started = quoting_to(desk, log)

    log.unlink()
    log.parent.rmdir()
    started.signal(signal.SIGHUP)
    started.signal(signal.SIGTERM)

    assert started.wait(15) == 0, started.output()
    assert "all own orders proved gone" in started.output()
    assert desk.open_orders() == []


def test_a_second_signal_ends_the_wait_for_a_frozen_exchange(desk):
    """The bulk cancel was sent; what is not proved is printed, and the status says so."""
    exchange = desk.processes[0]
    started = quoting(desk)
    exchange.signal(signal.SIGSTOP)

    started.signal(signal.SIGTERM)
    started.wait_for("Stopping")
    started.signal(signal.SIGTERM)
    status = started.wait(5)

    exchange.signal(signal.SIGCONT)
    output = started.output()
    assert status == 13, output
    assert re.search(
        r"not proved gone: (buy|sell) [0-9.]+ at [0-9.]+, cloid 0x[0-9a-f]{32}", output
    )
    assert "NOT all orders proved gone" in output


def test_kill_9_loses_neither_the_day_nor_a_nonce(desk):
    """What the exchange cannot tell lies on disk: figures of the day, and nonces used."""
    started = quoting(desk, "--asset", "WLFI")
    started.wait_for("Fill processed")
    started.wait_for("Quote cycle")

    started.kill()

    folder = desk.folder / "state" / "hypermm" / f"localhost_{desk.port}" / ADDRESS
    assert folder.stat().st_mode & 0o777 == 0o700
    day = json.loads((folder / "day.json").read_text())
    assert day["start_equity_usd"] == pytest.approx(10_000.0, abs=100)
    reserved = json.loads((folder / "nonce.json").read_text())["nonce"]
    assert reserved > os.stat(folder / "nonce.json").st_mtime * 1000


def test_json_lines_are_alone_on_standard_output(desk, capsys):
    """A parser of the log meets nothing else; lines for people go to standard error."""
    status = run_here(desk, {"logging.format": "json"}, duration_secs=3)

    shown = capsys.readouterr()
    assert status == 0
    entries = [json.loads(line) for line in shown.out.splitlines()]
    assert {entry["target"] for entry in entries} == {"hypermm"}
    assert "Market maker started" in {entry["message"] for entry in entries}
    assert "all own orders proved gone" in shown.err


@pytest.mark.parametrize("is_on", [True, False])
def test_metrics_are_served_where_the_settings_say(desk, is_on):
    """On the host and port of the file, and only if switched on."""
    port = free_port()
    (desk.folder / "metrics.toml").write_text(
        f"[monitoring]\nmetrics_port = {port}\nmetrics_host = '127.0.0.1'\n"
        f"enable_http_metrics = {str(is_on).lower()}\n"
    )
    started = desk.run("-c", "metrics.toml")
    started.wait_for("Market maker started")

    def scraped():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
                return 'mm_max_position{asset="BTC"}' in answer.read().decode()
        except urllib.error.URLError:
            return False

    assert desk.wait_until(scraped, 5 if is_on else 1.5) is is_on


def test_a_metrics_port_that_was_asked_for_and_is_taken_stops_the_start(desk):
    """The operator wanted it; nothing has been placed yet."""
    started = desk.run("--metrics-port", str(desk.port))

    assert started.wait(20) == 2
    assert f"metrics port {desk.port} of 127.0.0.1 cannot be opened: taken" in started.output()


def test_an_api_wallet_trades_for_its_master(desk):
    """Asked with an API wallet's own address the exchange answers as if nothing were there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own
        sdk = Exchange(Account.from_key(KEY), desk.url)
        approved, agent_key = sdk.approve_agent()
    assert approved["status"] == "ok"

    started = desk.run("-c", "mm.toml", key=agent_key)
    started.wait_for(WARM)
    assert desk.wait_until(desk.open_orders)

    assert f"account   {ADDRESS}: 10,000.00 USDC" in started.output()
    started.signal(signal.SIGTERM)
    assert started.wait(15) == 0
    assert desk.open_orders() == []
    assert agent_key[2:] not in started.output()
