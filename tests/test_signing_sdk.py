"""The official SDK makes the same signatures, of anything that both can say."""

import json

import eth_account
import msgspec
import pytest
from hyperliquid.utils import signing as sdk
from hyperliquid.utils.types import Cloid
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermm.hyperliquid.actions import Signature, canonical_decimal
from hypermm.hyperliquid.signing import Signer, recover
from hypermm.hyperliquid.wire import encode_action
from hypermm.instrument import Instrument
from hypermm.messages import (
    CancelOids,
    CancelOrders,
    Order,
    PlaceOrders,
    Side,
    Tif,
    UpdateLeverage,
)
from tests.exchange_requests import decode_action

KEY = bytes.fromhex("0123456789" * 6 + "0123")  # a throw-away key
WALLET = eth_account.Account.from_key(KEY)
BTC = Instrument(coin="BTC", asset_id=4, size_decimals=5)

NONCES = st.integers(0, 2**63 - 1)
VAULTS = st.none() | st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
EXPIRIES = st.none() | NONCES
CLOIDS = st.integers(0, 2**128 - 1)
ORDERS = st.builds(
    Order,
    cloid=CLOIDS,
    side=st.sampled_from(Side),
    price=st.integers(1, 10**8),
    size=st.integers(1, 10**9),
    is_reduce_only=st.booleans(),
    tif=st.sampled_from(Tif),
)


def numbers(signature):
    return int(signature["r"], 16), int(signature["s"], 16), signature["v"]


def sdk_order(order):
    """Make the order the SDK's way, from floats."""
    request = {
        "coin": "BTC",
        "is_buy": order.side is Side.BUY,
        "sz": order.size / 1e5,
        "limit_px": order.price / 1e1,
        "order_type": {"limit": {"tif": order.tif.value}},
        "reduce_only": order.is_reduce_only,
        "cloid": Cloid.from_int(order.cloid),
    }
    return sdk.order_request_to_order_wire(request, BTC.asset_id)


def assert_same(action, sdk_action, nonce, vault, expires_after_ms, is_mainnet):
    body = Signer(KEY, is_mainnet=is_mainnet).sign(
        encode_action(action, BTC), nonce, vault=vault, expires_after_ms=expires_after_ms
    )
    theirs = sdk.sign_l1_action(WALLET, sdk_action, vault, nonce, expires_after_ms, is_mainnet)

    sent = json.loads(body)
    assert numbers(sent["signature"]) == numbers(theirs)
    assert sent["action"] == sdk_action
    assert list(sent["action"]) == list(sdk_action)


@settings(max_examples=60)
@given(st.lists(ORDERS, max_size=20), NONCES, VAULTS, EXPIRIES, st.booleans())
def test_orders_are_signed_as_by_the_sdk(orders, nonce, vault, expires_after_ms, is_mainnet):
    """From our integers and from the SDK's floats the same text, hash and signature."""
    sdk_action = sdk.order_wires_to_order_action([sdk_order(order) for order in orders])

    assert_same(
        PlaceOrders(1, tuple(orders)), sdk_action, nonce, vault, expires_after_ms, is_mainnet
    )


@settings(max_examples=30)
@given(st.lists(CLOIDS, max_size=20), st.lists(NONCES, max_size=20), NONCES, VAULTS, st.booleans())
def test_cancels_and_leverage_are_signed_as_by_the_sdk(cloids, oids, nonce, vault, is_cross):
    """The same for what the SDK's client builds in its methods."""
    asset = BTC.asset_id
    by_cloid = [{"asset": asset, "cloid": str(Cloid.from_int(cloid))} for cloid in cloids]
    pairs = (
        (CancelOrders(1, tuple(cloids)), {"type": "cancelByCloid", "cancels": by_cloid}),
        (
            CancelOids(1, tuple(oids)),
            {"type": "cancel", "cancels": [{"a": asset, "o": oid} for oid in oids]},
        ),
        (
            UpdateLeverage(1, 7, is_cross),
            {"type": "updateLeverage", "asset": asset, "isCross": is_cross, "leverage": 7},
        ),
    )
    for action, sdk_action in pairs:
        assert_same(action, sdk_action, nonce, vault, None, True)


@given(st.integers(1, 10**13), st.integers(0, 8))
def test_a_number_has_the_sdks_text(value, decimals):
    """The SDK prints a float as it is hashed; the server's form of it is the same."""
    number = value / 10**decimals
    try:
        text = sdk.float_to_wire(number)
    except ValueError:
        return  # the SDK refuses what eight decimals do not say exactly

    assert canonical_decimal(text) == text


USER_SIGNED = {
    "usdSend": (
        sdk.sign_usd_transfer_action,
        {"destination": "0xABCDEF0000000000000000000000000000000001", "amount": "1.5", "time": 7},
    ),
    "spotSend": (
        sdk.sign_spot_transfer_action,
        {"destination": "0x01", "token": "PURR:0xc4bf", "amount": "0.1", "time": 7},
    ),
    "withdraw3": (
        sdk.sign_withdraw_from_bridge_action,
        {"destination": "0x01", "amount": "1", "time": 7},
    ),
    "usdClassTransfer": (
        sdk.sign_usd_class_transfer_action,
        {"amount": "12.5 subaccount:0x01", "toPerp": False, "nonce": 7},
    ),
    "sendAsset": (
        sdk.sign_send_asset_action,
        {
            "destination": "0x01",
            "sourceDex": "",
            "destinationDex": "xyz",
            "token": "USDC:0x6d1e7cde53ba9467b783cb7c530ce054",
            "amount": "5",
            "fromSubAccount": "",
            "nonce": 7,
        },
    ),
    "approveAgent": (
        sdk.sign_agent,
        {"agentAddress": "0x" + "Ab" * 20, "agentName": "", "nonce": 7},
    ),
    "approveBuilderFee": (
        sdk.sign_approve_builder_fee,
        {"maxFeeRate": "0.001%", "builder": "0x" + "cd" * 20, "nonce": 7},
    ),
    "userSetAbstraction": (
        sdk.sign_user_set_abstraction_action,
        {"user": "0x" + "cd" * 20, "abstraction": "disabled", "nonce": 7},
    ),
    "userDexAbstraction": (
        sdk.sign_user_dex_abstraction_action,
        {"user": "0x" + "cd" * 20, "enabled": True, "nonce": 7},
    ),
}


@pytest.mark.parametrize("is_mainnet", [True, False])
@pytest.mark.parametrize("kind", USER_SIGNED)
def test_the_signer_of_a_user_signed_action_is_recovered(kind, is_mainnet):
    """A server tells who asks for a transfer or names an agent."""
    sign, fields = USER_SIGNED[kind]
    sent = {"type": kind, **fields}

    signature = sign(WALLET, sent, is_mainnet)
    action = decode_action(sent)

    address = recover(action, 7, Signature(**signature), is_mainnet=is_mainnet)
    assert address == WALLET.address.lower()


def test_an_unnamed_agent_is_hashed_with_an_empty_name():
    """The SDK signs the empty name and then deletes the key from what it posts."""
    sent = {"type": "approveAgent", "agentAddress": "0x" + "ab" * 20, "agentName": "", "nonce": 7}
    signature = sdk.sign_agent(WALLET, sent, True)
    del sent["agentName"]

    address = recover(decode_action(sent), 7, Signature(**signature), is_mainnet=True)

    assert address == WALLET.address.lower()


def test_our_structs_and_plain_values_are_packed_alike():
    """MessagePack of a struct is that of the dict with its keys in order."""
    action = encode_action(PlaceOrders(1, (Order(1, Side.BUY, 649_900, 100),)), BTC)

    packed = msgspec.msgpack.encode(action)

    assert packed == sdk.msgpack.packb(json.loads(msgspec.json.encode(action)))
