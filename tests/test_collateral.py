"""A builder's dex has a balance of its own: it is filled before the first order, by nobody else."""

import asyncio
import os
import re
import signal
import subprocess
import sys

import pytest
from processes import ADDRESS, ROOT, Desk

from hypermm import collateral
from hypermm.errors import ConfigError, InvariantError
from hypermm.hyperliquid.actions import AgentSendAssetAction, SendAssetAction
from hypermm.hyperliquid.client import Client
from hypermm.hyperliquid.signing import Signer, parse_key
from hypermm.instrument import Instrument

KEY = "0x" + "5eed" * 16
OTHER = "0x" + "ab" * 20
pytestmark = pytest.mark.slow
MARKET = Instrument(coin="hyna:BTC", asset_id=110_001, size_decimals=5, dex="hyna")


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.close()


def value(desk: Desk, dex: str) -> float:
    state = desk.info(type="clearinghouseState", user=ADDRESS, dex=dex)
    return float(state["marginSummary"]["accountValue"])


def test_a_run_on_a_dex_moves_its_margin_there_and_quotes(desk):
    """The option's figure is what is found there; a second start moves nothing more."""
    desk.exchange("--speed", "10", "--dex", "hyna")
    options = ("--dex", "hyna", "--initial-isolated-margin", "750", "--metrics-port", "0")

    dry = desk.run(*options, "--dry-run")
    assert dry.wait() == 0, dry.output()
    assert "Collateral would be moved" in dry.output()
    assert value(desk, "hyna") == 0.0
    run = desk.run(*options, "--duration", "20s")
    run.wait_for("Parameter estimation warmed up")
    assert value(desk, "hyna") == pytest.approx(750.0, abs=20.0)
    assert value(desk, "") == 9_250.0
    assert desk.wait_until(lambda: desk.info(type="openOrders", user=ADDRESS, dex="hyna"))
    assert run.wait() == 0, run.output()
    again = desk.run(*options, "--duration", "1s")
    assert again.wait() == 0
    assert "Collateral moved" not in again.output()


def test_what_the_account_cannot_give_is_said_before_anything_is_sent(desk):
    """With the figures, and what to do."""
    desk.exchange("--dex", "hyna")

    run = desk.run("--dex", "hyna", "--initial-isolated-margin", "20000", "--metrics-port", "0")

    assert run.wait() == 2
    assert "InsufficientMargin: dex hyna holds 0.00 of the 20,000.00 USD" in run.output()
    assert value(desk, "") == 10_000.0


@pytest.mark.parametrize("kind", [SendAssetAction, AgentSendAssetAction])
def test_no_money_is_signed_away_from_the_account(kind):
    """The only destination is the account itself, whichever key signs."""
    signer = Signer(parse_key(KEY), is_mainnet=False)
    fields = {"sourceDex": "", "destinationDex": "hyna", "token": "USDC", "amount": "1",
              "fromSubAccount": "", "nonce": 1}  # fmt: skip
    if kind is SendAssetAction:
        fields |= {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}

    with pytest.raises(InvariantError, match="one account only"):
        signer.sign_move(kind(destination=OTHER, **fields), 1, ADDRESS)
    assert b"signature" in signer.sign_move(kind(destination=ADDRESS, **fields), 1, ADDRESS)


def test_the_exchanges_own_dex_and_shared_balances_need_no_move(desk):
    """Nothing is planned where one balance backs all."""
    desk.exchange("--dex", "hyna")
    own = Instrument(coin="BTC", asset_id=0, size_decimals=5)

    async def plans() -> list[collateral.Allocation | None]:
        client = Client(desk.url)
        try:
            return [
                await collateral.plan(client, ADDRESS, market, 100.0) for market in (own, MARKET)
            ]
        finally:
            await client.close()

    none, found = asyncio.run(plans())
    assert none is None
    assert found is not None
    assert (found.missing_usd, found.is_low) == (100.0, True)


def test_a_dex_that_does_not_hold_enough_is_an_error_with_figures(desk):
    """As `plan` is used in the run's own loop."""
    desk.exchange("--dex", "hyna")

    async def ask() -> None:
        client = Client(desk.url)
        try:
            await collateral.plan(client, ADDRESS, MARKET, 50_000.0)
        finally:
            await client.close()

    with pytest.raises(ConfigError, match=r"only 10,000\.00 USD can be moved"):
        asyncio.run(ask())


def test_the_script_tests_a_market_and_says_what_happened(desk):
    """Its log is named for dex, market and time; a signal is passed on and the analysis follows."""
    desk.exchange("--speed", "10", "--dex", "hyna", "--limit", "ip-weight=off")
    environ = {
        "PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "PYTHONPATH": str(ROOT),
        "NETWORK": desk.url, "HYPERLIQUID_PRIVATE_KEY": KEY, "HYPERMM_STRATEGY_MIN_TRADES": "5",
        "HYPERMM_MONITORING_METRICS_PORT": "0", "XDG_STATE_HOME": str(desk.folder / "state"),
    }  # fmt: skip
    script = subprocess.Popen(
        [str(ROOT / "scripts" / "test_hip3.sh"), "BTC", "hyna", "600"],
        stdout=subprocess.PIPE, text=True, cwd=desk.folder, env=environ, start_new_session=True,
    )  # fmt: skip
    try:
        assert desk.wait_until(lambda: desk.info(type="openOrders", user=ADDRESS, dex="hyna"), 60)

        # Not SIGINT: what a shell starts in the background begins with that one ignored.
        script.send_signal(signal.SIGTERM)
        said, _ = script.communicate(timeout=60)
    finally:
        if script.poll() is None:
            os.killpg(script.pid, signal.SIGKILL)

    assert script.returncode == 0, said
    assert "all own orders proved gone" in said
    assert "Issues, the worst first" in said
    (log,) = (desk.folder / "logs").iterdir()
    assert re.fullmatch(r"mm_hyna_BTC_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.log", log.name)


@pytest.mark.parametrize("arguments", [(), ("BTC", "hyna"), ("BTC", "hyna", "soon")])
def test_the_script_says_how_it_is_called(desk, arguments):
    """A missing argument starts nothing."""
    done = subprocess.run(
        [str(ROOT / "scripts" / "test_hip3.sh"), *arguments],
        capture_output=True, text=True, cwd=desk.folder, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "ASSET DEX SECONDS" in done.stderr or "scripts/test_hip3.sh BTC" in done.stderr
