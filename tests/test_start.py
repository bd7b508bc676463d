"""What stands before the loop: one exchange has one state, however its address is written."""

import pytest

from hypermm.config import load
from hypermm.place import Place


def place(tmp_path, network):
    config = load(None, {"network.base_url": network})
    return Place(config, {"XDG_STATE_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("network", "name"),
    [
        ("mainnet", "mainnet"),
        ("https://api.hyperliquid.xyz", "mainnet"),
        ("https://api.hyperliquid.xyz:443", "mainnet"),
        ("testnet", "testnet"),
        ("https://api.hyperliquid-testnet.xyz/", "testnet"),
        ("localhost", "localhost"),
        ("http://127.0.0.1:3001", "localhost"),
        ("http://[::1]:3001", "localhost"),
        ("http://127.0.0.1:4001", "localhost_4001"),
        ("http://localhost:4001", "localhost_4001"),
        ("http://[::1]:4001", "localhost_4001"),
        ("http://[fd00::1]:4001", "fd00--1_4001"),
    ],
)
def test_every_spelling_of_an_exchange_has_the_same_state(tmp_path, network, name):
    """A latch, a lock and a nonce that another spelling does not see would be none."""
    where = place(tmp_path, network)

    assert where.name == name
    assert where.state("0x" + "ab" * 20).path == tmp_path / "hypermm" / name / ("0x" + "ab" * 20)


@pytest.mark.parametrize(
    ("network", "is_real"),
    [("mainnet", True), ("https://api.hyperliquid.xyz", True), ("testnet", False)],
)
def test_mainnet_is_known_by_its_address(tmp_path, network, is_real):
    """The check of where a key comes from follows the address that is signed for."""
    assert place(tmp_path, network).is_mainnet is is_real
