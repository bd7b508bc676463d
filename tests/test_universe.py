"""From the exchange's lists to the rules of one market."""

import json

import pytest

from hypermm.errors import ConfigError
from hypermm.hyperliquid.universe import find_dex, instrument

META = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56},
        {"name": "MATIC", "szDecimals": 1, "maxLeverage": 20, "isDelisted": True},
        {"name": "kPEPE", "szDecimals": 0, "maxLeverage": 10, "onlyIsolated": True},
    ],
    "marginTables": [],
    "collateralToken": 0,
}
DEX_META = {
    "universe": [
        {"name": "xyz:XYZ100", "szDecimals": 4, "maxLeverage": 30, "marginTableId": 30},
        {"name": "xyz:GOLD", "szDecimals": 2, "maxLeverage": 20, "marginMode": "strictIsolated"},
    ],
}


def test_the_market_is_found_with_its_rules():
    """Asset ids are positions; delisted entries keep their place."""
    pepe = instrument(META, "kPEPE")

    assert (pepe.asset_id, pepe.size_decimals, pepe.price_decimals) == (2, 0, 6)
    assert (pepe.max_leverage, pepe.is_isolated_only) == (10, True)
    assert not instrument(META, "BTC").is_isolated_only


def test_a_builders_market_has_its_prefix_and_its_own_ids():
    """100000 + 10000 x dex + position, and the coin's name may be given short."""
    gold = instrument(DEX_META, "GOLD", "xyz", 1)

    assert (gold.coin, gold.asset_id, gold.dex) == ("xyz:GOLD", 110_001, "xyz")
    assert gold.is_isolated_only
    assert instrument(DEX_META, "xyz:XYZ100", "xyz", 1).asset_id == 110_000


def test_a_wrong_name_is_answered_with_near_ones():
    """The operator sees what he may have meant."""
    with pytest.raises(ConfigError, match="did you mean BTC"):
        instrument(META, "btc")
    with pytest.raises(ConfigError, match="--dex"):
        instrument(META, "NOTHING")
    with pytest.raises(ConfigError, match="delisted"):
        instrument(META, "MATIC")


def test_a_dex_is_found_by_either_name():
    """The exchange's list begins with its own dex, which has no entry."""
    dexs = [None, {"name": "xyz", "fullName": "XYZ"}, {"name": "hyna", "fullName": "HyENA"}]

    assert find_dex(dexs, "") == (0, "")
    assert find_dex(dexs, "XYZ") == (1, "xyz")
    assert find_dex(dexs, "hyena") == (2, "hyna")
    with pytest.raises(ConfigError, match="hyna"):
        find_dex(dexs, "abc")


def test_the_recorded_universes_give_markets(data_dir):
    """Every market of the recorded testnet universe that is listed can be traded."""
    fixture = json.loads((data_dir / "hyperliquid/fixtures/info-meta--roq.json").read_text())
    meta = fixture["samples"][0]["response"]

    for position, asset in enumerate(meta["universe"]):
        if not asset.get("isDelisted"):
            assert instrument(meta, asset["name"]).asset_id == position
