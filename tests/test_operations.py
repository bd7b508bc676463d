"""What an operator looks at and cleans up with: real processes on loopback."""

import json
import subprocess
import sys

import pytest
from processes import ADDRESS, KEY, ROOT, Desk

from hypermm.journal import StateDirectory

pytestmark = pytest.mark.slow  # real processes


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.close()


def command(desk: Desk, *arguments: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    environ = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(desk.folder / "state"),
        "HYPERLIQUID_PRIVATE_KEY": key,
    }
    return subprocess.run(
        [sys.executable, "-m", "hypermm", *arguments, "--network", desk.url],
        capture_output=True, text=True, cwd=desk.folder, env=environ, timeout=120, check=False,
    )  # fmt: skip


def state_of(desk: Desk) -> StateDirectory:
    return StateDirectory(desk.folder / "state" / "hypermm", f"localhost_{desk.port}", ADDRESS)


def test_an_operator_sees_a_run_beside_the_exchange_and_cleans_up_what_it_left(desk):
    """Status before, during and after; orders of a killed run are told apart and cancelled."""
    desk.exchange("--speed", "10")

    before = command(desk, "status", "--account", ADDRESS, key="")
    assert before.returncode == 0, before.stderr
    assert "10,000.00 USD" in before.stdout
    assert "no open orders" in before.stdout
    assert "no market maker runs on this account" in before.stdout

    run = desk.run("--metrics-port", "0")
    run.wait_for("Parameter estimation warmed up")
    assert desk.wait_until(desk.open_orders)
    shows = state_of(desk)  # once a second
    assert desk.wait_until(lambda: len((shows.view() or {"orders": ()})["orders"]) >= 2)
    watched = command(desk, "top", "--once", "--account", ADDRESS, key="")
    assert watched.returncode == 0, watched.stderr
    assert "quoting" in watched.stdout
    assert watched.stdout.count(" open") >= 2
    shown = json.loads((state_of(desk).path / "view.json").read_text(), parse_constant=pytest.fail)
    assert shown["coin"] == "BTC"
    during = command(desk, "status")
    assert "Market maker, process" in during.stdout
    refused = command(desk, "cancel-all")
    assert refused.returncode == 12, "a running market maker would place anew"

    run.kill()
    assert command(desk, "top", "--once").returncode == 2, "nobody runs"
    after = json.loads(command(desk, "status", "--json").stdout)
    assert {order["whose"] for order in after["orders"]} == {"earlier session"}
    assert after["bot"] is None

    cleaned = command(desk, "cancel-all")
    assert cleaned.returncode == 0, cleaned.stderr
    assert "all proved gone" in cleaned.stdout
    assert desk.open_orders() == []
    assert command(desk, "cancel-all").stdout.strip() == "no open orders"


def test_a_difference_between_bot_and_exchange_is_status_1(desk):
    """What the process shows is compared, not repeated."""
    desk.exchange()
    with state_of(desk) as state:  # a market maker that believes in a position and an order
        order = {"cloid": "0x" + "ab" * 16, "side": "buy", "price": "1", "size": "1"}
        state.write_view(
            {
                "pid": 1, "session_secs": 1, "at_ms": 1, "coin": "BTC", "mode": "quoting",
                "position": "0.5", "day_pnl_usd": 0.0, "orders": [{**order, "state": "open"}],
            }
        )  # fmt: skip

        seen = command(desk, "status")

    assert seen.returncode == 1
    assert "differs: position: bot 0.5, exchange 0 BTC" in seen.stdout
    assert "is live for the bot and does not rest" in seen.stdout


def test_a_dry_run_prints_the_ladder_and_changes_nothing(desk):
    """It warms up, decides and says so; the exchange and the state directory stay as they were."""
    desk.exchange("--speed", "10")

    done = command(desk, "run", "--dry-run", "--metrics-port", "0")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("would sell") == 5
    assert done.stdout.count("would buy") == 5
    assert "would set the leverage to 40x" in done.stdout
    assert desk.open_orders() == []
    limit = desk.info(type="userRateLimit", user=ADDRESS)
    assert limit["nRequestsUsed"] == 0, "nothing signed was sent"
    folder = desk.folder / "state" / "hypermm" / f"localhost_{desk.port}" / ADDRESS
    assert list(folder.iterdir()) == []


def test_an_unknown_dex_or_market_says_what_to_do(desk):
    """The names of the errors are those that operators look up."""
    desk.exchange()

    dex = command(desk, "status", "--dex", "nowhere", "--account", ADDRESS)
    asset = command(desk, "status", "--asset", "BTCC", "--account", ADDRESS)

    assert dex.returncode == asset.returncode == 2
    assert "DexNotFound" in dex.stderr
    assert "list-dexs" in dex.stderr
    assert "AssetNotFound" in asset.stderr
    assert "did you mean BTC?" in asset.stderr


@pytest.mark.parametrize("form", [("list-dexs",), ("--list-dexs",)])
def test_dexs_are_listed_by_command_and_option(desk, form):
    """Both forms are in the procedures."""
    desk.exchange()

    listed = command(desk, *form)

    assert listed.returncode == 0, listed.stderr
    assert "HIP-3 DEXs" in listed.stdout


def test_a_view_that_cannot_be_written_stops_no_trading(desk):
    """What others look at is not what the run needs: a folder in its place is only warned of."""
    desk.exchange("--speed", "10", "--limit", "ip-weight=off")
    (state_of(desk).path / "view.json").mkdir()

    run = desk.run("--metrics-port", "0", "--duration", "8s")

    assert run.wait() == 0, run.output()
    assert run.output().count("State is not shown") == 1
    assert "Internal error" not in run.output()


def test_isolated_margin_is_forced_where_cross_is_allowed(desk):
    """The exchange's own setting of the market says so before the first order."""
    desk.exchange("--speed", "10", "--limit", "ip-weight=off")

    run = desk.run("--metrics-port", "0", "--force-isolated", "--leverage", "7")
    run.wait_for("Leverage set")

    held = desk.info(type="activeAssetData", user=ADDRESS, coin="BTC")["leverage"]
    assert (held["type"], held["value"]) == ("isolated", 7)
