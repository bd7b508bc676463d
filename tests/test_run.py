"""The whole: real processes, real sockets, signals, `kill -9`, and an operator's mistakes."""

import gzip
import re
import signal
import urllib.request

import pytest
from processes import KEY, Desk, free_port

from hypermm.backtesting import audit

# Venue time runs faster than the clock, so that minutes of a market pass in seconds.
pytestmark = pytest.mark.slow  # real processes
FAST = ("--speed", "10")
WARM = r"Parameter estimation warmed up"


@pytest.fixture
def desk(tmp_path):
    """An exchange's place, empty at first."""
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def parts(output: str) -> list[str]:
    """The event names of log lines, in order of first appearance."""
    events = re.findall(r"Z +(?:INFO|WARN|ERROR) +(.+?)(?:  |$)", output, re.MULTILINE)
    return list(dict.fromkeys(event.strip() for event in events))


def test_a_run_warms_up_quotes_is_filled_and_stops_with_proof(desk, tmp_path):
    """The life of a session, on the wire that mainnet speaks; its inputs replay to its actions."""
    record = tmp_path / "inputs"
    desk.exchange(*FAST)
    run = desk.run("--asset", "WLFI", "--duration", "18s", "--record", str(record))

    status = run.wait()

    output = run.output()
    assert status == 0, output
    events = parts(output)
    assert events.index("Market maker started") < events.index("Warming up parameter estimator")
    assert events.index("Warming up parameter estimator") < events.index(WARM)
    assert "Fill processed" in events
    assert "is_taker=true" not in output
    assert "ERROR" not in output
    assert "Order refused" not in output
    assert re.search(r"fills +\d+ buys, \d+ sells", output)
    assert "all own orders proved gone" in output
    assert desk.open_orders() == []
    assert KEY[2:] not in output
    found = audit(record)
    assert found.difference is None, found
    assert found.actions > 5
    assert KEY[2:].encode() not in record.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_gracefully(desk, number):
    """Both signals take the same path; what rests is cancelled and proved gone."""
    desk.exchange(*FAST)
    run = desk.run()
    run.wait_for(WARM)

    run.signal(number)
    status = run.wait(15)

    assert status == 0, run.output()
    assert f"stopped   {number.name}; all own orders proved gone" in run.output()
    assert desk.open_orders() == []


def test_a_signal_during_warm_up_stops_too(desk):
    """Nothing rests yet; that has to be proved as well."""
    desk.exchange()
    run = desk.run()
    run.wait_for("Market maker started")

    run.signal(signal.SIGTERM)

    assert run.wait(15) == 0, run.output()


def test_after_kill_9_leftovers_are_found_and_the_books_agree(desk):
    """Start-up is recovery: orders of the dead run go first, then position and quotes are right."""
    desk.exchange(*FAST)
    first = desk.run("--asset", "WLFI")
    first.wait_for("Fill processed")
    first.kill()
    left = {order["oid"] for order in desk.open_orders()}
    assert left, "the killed run left nothing to find"

    second = desk.run("--asset", "WLFI")
    second.wait_for("Leftover orders found")
    second.wait_for(WARM)

    assert not left & {order["oid"] for order in desk.open_orders()}
    second.signal(signal.SIGTERM)
    assert second.wait(15) == 0, second.output()
    position = re.search(r"^position +(\S+)", second.output(), re.MULTILINE)
    assert position
    assert float(position[1]) == desk.position()
    assert desk.open_orders() == []


def test_after_kill_9_of_the_exchange_quoting_comes_back(desk):
    """Quotes are in doubt while it is away; then reconnect, prove, quote again.

    At the clock's own speed: a venue whose time jumps back is rightly taken for stale.
    """
    exchange = desk.exchange()
    config = desk.folder / "mm.toml"
    config.write_text("[strategy]\nmin_trades = 10\nwarmup_decay_secs = 1\n")
    run = desk.run("-c", str(config))
    run.wait_for(WARM)
    assert desk.wait_until(desk.open_orders)

    exchange.kill()
    run.wait_for("Disconnected.*orders_in_doubt=[1-9]")
    run.wait_for("Failed to connect to exchange")
    desk.exchange()
    run.wait_for(r"(?s)(?:Connected.*){2}")

    sides = desk.wait_until(lambda: {order["side"] for order in desk.open_orders()} == {"A", "B"})

    assert sides, f"no two-sided quotes:\n{run.output()}"
    run.signal(signal.SIGTERM)
    assert run.wait(15) == 0, run.output()
    assert desk.open_orders() == []


def test_a_second_instance_on_the_account_is_refused(desk):
    """Two makers on one account would count each other's orders as foreign."""
    desk.exchange()
    first = desk.run()
    first.wait_for("Market maker started")

    second = desk.run()

    assert second.wait(20) == 12
    assert "another hypermm holds this account" in second.output()


def test_a_kill_latches_until_the_operator_clears_it(desk):
    """A supervisor's restart must not quote again after a kill."""
    exchange = desk.exchange(*FAST)
    config = desk.folder / "mm.toml"
    port = free_port()
    config.write_text(
        "[risk]\nmax_daily_loss_usd = 0.001\n"
        f"[monitoring]\nmetrics_port = {port}\nmetrics_linger_secs = 3\n"
    )
    run = desk.run("-c", str(config), "--asset", "WLFI")

    run.wait_for("metrics   served for 3 s more")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
        assert 'mm_kill_switch_triggered{asset="WLFI"} 1.0' in answer.read().decode()
    assert run.wait() == 10, run.output()
    assert "KILL SWITCH TRIGGERED" in run.output()
    assert desk.open_orders() == []
    again = desk.run("-c", str(config), "--asset", "WLFI")
    assert again.wait(20) == 12
    assert "the kill switch was triggered: daily loss" in again.output()
    cleared = desk.start("clear-kill", "--network", desk.url, HYPERLIQUID_PRIVATE_KEY=KEY)
    assert cleared.wait(20) == 0
    assert "cleared; the kill switch had been triggered" in cleared.output()
    third = desk.run()
    third.wait_for("Market maker started")
    assert exchange.process.poll() is None


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--asset", "BTCC"), 2, "BTC"),
        (("--risk-aversion", "nan"), 2, "not a finite number"),
        (("-c", "missing.toml"), 2, "Config file not found"),
        (("--risk-aversion", "high"), 2, "invalid float value"),
        (("--market", "synthetic"), 2, "embedded exchange"),
        (("--decimals", "6"), 2, "decimals = 6 is outside"),
        (("--log-file", "/dev/null/mm.log"), 2, "cannot be written"),
    ],
)
def test_a_mistake_is_a_clear_message(desk, options, status, message):
    """What, value, what was expected; no traceback, nothing sent."""
    desk.exchange()

    run = desk.run(*options)

    assert run.wait(20) == status, run.output()
    assert message in run.output()
    assert "Traceback" not in run.output()


def test_an_account_without_money_is_a_start_that_failed(desk):
    """Nothing can be quoted from it: status 2, with the reason, not a clean stop."""
    desk.exchange()

    run = desk.run(key="0x" + "0dd5" * 16)

    assert run.wait(20) == 2, run.output()
    assert "Traceback" not in run.output()
    assert "hypermm: " in run.output()


def test_an_unknown_key_in_the_file_is_named(desk):
    """With the nearest name, before anything is started."""
    (desk.folder / "market_maker.toml").write_text("[trading]\nassset = 'BTC'\n")

    run = desk.run()

    assert run.wait(20) == 2
    assert "line 2: trading.assset: unknown key; did you mean trading.asset?" in run.output()


@pytest.mark.parametrize(
    "key",
    ["", "0x1234", "zz" * 32, " " + KEY, KEY + "\n"],
    ids=["none", "short", "not hex", "blank before", "newline after"],
)
def test_a_missing_or_broken_key_is_refused_unseen(desk, key):
    """The message says what to do and never shows the value."""
    run = desk.run(key=key)

    assert run.wait(20) == 2
    output = run.output()
    assert "Private key not set" in output if not key else "key" in output
    assert "Traceback" not in output
    assert not key.strip() or key.strip() not in output


def test_nobody_at_the_address_is_exit_6(desk):
    """Nothing was started, so nothing has to be proved."""
    run = desk.run()

    assert run.wait(20) == 6
    assert "Failed to connect to exchange" in run.output()


def test_a_state_directory_that_cannot_be_made_is_named(desk):
    """Latch and nonces need it, so there is no start without it."""
    (desk.folder / "state").write_text("in the way")

    run = desk.run()

    assert run.wait(20) == 2
    assert "state directory cannot be used" in run.output()


def test_a_taken_port_is_named(desk):
    """With what to do about it."""
    desk.exchange()

    second = desk.start("exchange", "--port", str(desk.port))

    assert second.wait(20) == 2
    assert f"port {desk.port}" in second.output()
    assert "taken" in second.output()


def test_a_truncated_recording_is_named(desk, data_dir):
    """A half-copied file is not half a market."""
    source = data_dir / "data" / "hyperliquid" / "2025-09-04"
    folder = desk.folder / "recording"
    folder.mkdir()
    for file in source.glob("*_WLFI.csv.gz"):
        (folder / file.name).write_bytes(file.read_bytes())
    broken = folder / "trades_WLFI.csv.gz"
    broken.write_bytes(broken.read_bytes()[:-2000])

    exchange = desk.start("exchange", "--port", str(desk.port), "--market", str(folder))

    assert exchange.wait(30) == 2
    assert "trades_WLFI" in exchange.output()
    assert "Traceback" not in exchange.output()


def test_a_short_recording_ends_the_run_with_proof(desk, data_dir):
    """The exchange says that its market is over; the run on it stops and proves its orders gone."""
    source = data_dir / "data" / "hyperliquid" / "2025-09-04"
    folder = desk.folder / "recording"
    folder.mkdir()
    for file in source.glob("*_WLFI.csv.gz"):
        header, *lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
        received = float(lines[0].split(b",")[0])
        kept = [line for line in lines if float(line.split(b",")[0]) < received + 90.0]
        (folder / file.name).write_bytes(gzip.compress(b"".join([header, *kept])))
    exchange = desk.exchange("--market", str(folder), "--speed", "6")
    run = desk.run("--asset", "WLFI")

    status = run.wait()

    assert status == 0, run.output()
    assert "market is over" in run.output()
    assert exchange.wait(30) == 0
