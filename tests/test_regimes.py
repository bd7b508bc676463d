"""Regimes of the synthetic market: that they differ in what they are named for, by measure."""

import numpy as np
import pytest

from hypermm._core.rows import CONTEXT, FORCED, LEVEL, OPEN_INTEREST, QUOTE, TRADE
from hypermm.sim.exchange import Exchange
from hypermm.sim.market import open_market, open_markets
from hypermm.sim.regimes import REGIMES
from tests.scripted_market import START_MS

SEC = 1_000_000_000
SPAN_SECS = 900
SEEDS = (1, 2)


def span(regime, seed):
    """A quarter of an hour of a market as rows."""
    (market,) = open_market(f"synthetic:{regime}", seed)
    return market, market.rows_until(SPAN_SECS * SEC).array


def mids(rows):
    """The mid at the end of every ten seconds."""
    quotes = rows[rows["kind"] == QUOTE]
    bids, asks = quotes[quotes["side"] > 0], quotes[quotes["side"] < 0]
    ends = np.arange(10, SPAN_SECS, 10) * SEC
    places = np.searchsorted(bids["exch_ns"], ends) - 1
    return (bids["price"][places] + asks["price"][places]) / 2.0


def measures(regime):
    """Means over seeds."""
    found = []
    for seed in SEEDS:
        _, rows = span(regime, seed)
        prices = mids(rows)
        returns = np.diff(np.log(prices))
        minutes = np.diff(np.log(prices[::6]))
        trades = rows[rows["kind"] == TRADE]
        quotes = rows[rows["kind"] == QUOTE]
        spread = quotes["price"][1::2] - quotes["price"][::2]
        found.append(
            {
                "volatility_bps": 1e4 * returns.std(),
                # Moves that go on: what minutes in a row share, against chance (1).
                "trend": np.log(prices[12:] / prices[:-12]).std() / (returns.std() * 12**0.5),
                "worst_minute_bps": 1e4 * abs(minutes).max(),
                "spread_bps": 1e4 * float(np.mean(spread / quotes["price"][::2])),
                "trades": len(trades),
                "forced": int((trades["flags"] & FORCED > 0).sum()),
                "touch_usd": float(np.median(quotes["size"] * quotes["price"])) / 1e6,
                "levels": float((rows["kind"] == LEVEL).sum() / (SPAN_SECS / 0.5474)),
            }
        )
    return {name: float(np.mean([each[name] for each in found])) for name in found[0]}


@pytest.fixture(scope="module")
def measured():
    return {regime: measures(regime) for regime in REGIMES}


def test_regimes_are_really_different(measured):
    """A bot that is tried in five regimes must have seen five markets."""
    calm, trending = measured["calm"], measured["trending"]
    volatile, cascade, thin = measured["volatile"], measured["cascade"], measured["thin"]

    assert volatile["volatility_bps"] > 3.0 * calm["volatility_bps"]
    assert volatile["spread_bps"] > 1.3 * calm["spread_bps"]
    assert trending["trend"] > 1.5 * calm["trend"]
    assert trending["trend"] > 1.5 * volatile["trend"]
    assert trending["volatility_bps"] < 0.7 * volatile["volatility_bps"]
    assert cascade["worst_minute_bps"] > 3.0 * calm["worst_minute_bps"]
    assert cascade["forced"] > 100
    assert all(m["forced"] == 0 for name, m in measured.items() if name != "cascade")
    assert thin["trades"] < 0.3 * calm["trades"]
    assert thin["spread_bps"] > 5.0 * calm["spread_bps"]
    assert thin["levels"] < 0.8 * calm["levels"]
    assert thin["touch_usd"] < 0.1 * calm["touch_usd"]


def test_a_cascade_is_one_sided_and_takes_the_open_interest_along():
    _, rows = span("cascade", 1)
    forced = rows[(rows["kind"] == TRADE) & (rows["flags"] & FORCED > 0)]
    gaps = np.flatnonzero(np.diff(forced["exch_ns"]) > 5 * SEC)
    bursts = np.split(forced, gaps + 1)
    interest = rows[(rows["kind"] == CONTEXT) & (rows["index"] == OPEN_INTEREST)]["size"]

    assert 2 <= len(bursts) <= 12
    assert np.mean([len(set(burst["side"].tolist())) == 1 for burst in bursts]) > 0.9
    assert (np.diff(interest) <= 0).all()
    assert interest[0] - interest[-1] == forced["size"].sum() > 0


def test_forced_trades_have_no_hash_at_the_venue():
    """That is how a client tells them from others."""
    exchange = Exchange(open_market("synthetic:cascade", 1), start_ms=START_MS, seed=1)
    hashes = [
        trade.hash
        for block in exchange.advance(START_MS + 600_000)
        for trade in block.trades.get("BTC", ())
    ]
    without = [text for text in hashes if text == "0x" + 64 * "0"]

    assert 0 < len(without) < len(hashes)
    assert exchange.by_coin["BTC"].open_interest > 0


@pytest.mark.parametrize("regime", REGIMES)
def test_a_regime_repeats_with_its_seed_however_time_is_sliced(regime):
    (whole,), (sliced,) = (open_market(f"synthetic:{regime}", 5) for _ in range(2))
    rows = whole.rows_until(60 * SEC).array
    parts = [sliced.rows_until(ms * 1_000_000).array.copy() for ms in range(0, 60_001, 700)]

    parts.append(sliced.rows_until(60 * SEC).array.copy())
    assert np.concatenate(parts).tobytes() == rows.tobytes()
    (other,) = open_market(f"synthetic:{regime}", 6)
    assert other.rows_until(60 * SEC).array.tobytes() != rows.tobytes()


def test_builders_dexs_list_equal_names_under_their_own():
    markets = open_markets(["synthetic:BTC"], ["xyz", "abc"], 1)
    exchange = Exchange(markets, start_ms=START_MS)

    assert {asset: listing.coin for asset, listing in exchange.listings.items()} == {
        0: "BTC",
        110_000: "xyz:GOLD",
        110_001: "xyz:BTC",
        120_000: "abc:GOLD",
        120_001: "abc:BTC",
    }
    meta = exchange.info({"type": "meta", "dex": "abc"})
    assert [each["name"] for each in meta["universe"]] == ["abc:GOLD", "abc:BTC"]
    assert meta["universe"][0]["onlyIsolated"] is True
