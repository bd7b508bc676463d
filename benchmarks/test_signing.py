"""Ten orders to signed bytes, against the official SDK on both of its curves."""

import json
import subprocess
import sys
from timeit import repeat

import eth_account
import pytest
from hyperliquid.utils.signing import (
    order_request_to_order_wire,
    order_wires_to_order_action,
    sign_l1_action,
)
from hyperliquid.utils.types import Cloid

from hypermm.hyperliquid.curve import Curve
from hypermm.hyperliquid.signing import Signer
from hypermm.hyperliquid.wire import encode_action
from hypermm.instrument import Instrument
from hypermm.messages import Order, PlaceOrders, Side

KEY = bytes([1]) * 32  # a throw-away key
NONCE = 1_700_000_000_123
BTC = Instrument(coin="BTC", asset_id=4, size_decimals=5)
ORDERS = PlaceOrders(
    1,
    tuple(
        Order((5 << 96) + i, Side.BUY if i % 2 else Side.SELL, 650_005 + 10 * i, 1_230 + 100 * i)
        for i in range(10)
    ),
)
REQUESTS = [
    {
        "coin": "BTC",
        "is_buy": order.side is Side.BUY,
        "sz": order.size / 1e5,
        "limit_px": order.price / 1e1,
        "order_type": {"limit": {"tif": order.tif.value}},
        "reduce_only": False,
        "cloid": Cloid.from_int(order.cloid),
    }
    for order in ORDERS.orders
]


def by_sdk(wallet):
    """Do what the SDK's client does between the wanted orders and its HTTP library."""
    wires = [order_request_to_order_wire(request, 4) for request in REQUESTS]
    action = order_wires_to_order_action(wires)
    signature = sign_l1_action(wallet, action, None, NONCE, None, True)
    body = {"action": action, "nonce": NONCE, "signature": signature}
    return json.dumps({**body, "vaultAddress": None, "expiresAfter": None}).encode()


def secs(call, number, times=9):
    """Return the best time of a call."""
    return min(repeat(call, number=number, repeat=times)) / number


PURE_PYTHON = """
import runpy, sys
sys.modules["coincurve"] = None  # the SDK then signs in pure Python, as pip installs it
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def sign_ten():
    signer = Signer(KEY, is_mainnet=True)
    return lambda: signer.sign(encode_action(ORDERS, BTC), NONCE)


def test_ten_orders_are_signed_ten_times_faster_than_by_the_sdk(benchmark):
    """The SDK with the same native curve: from wanted orders to the bytes of the body."""
    pytest.importorskip("coincurve")
    wallet = eth_account.Account.from_key(KEY)
    sign = sign_ten()

    body = benchmark(sign)

    ours, theirs = json.loads(body), json.loads(by_sdk(wallet))
    assert ours["action"] == theirs["action"]
    for part in "rs":
        assert int(ours["signature"][part], 16) == int(theirs["signature"][part], 16)
    speedup = secs(lambda: by_sdk(wallet), 20) / secs(sign, 100)
    benchmark.extra_info["times_sdk_native"] = round(speedup, 1)
    assert speedup >= 3.5


def test_ten_orders_are_signed_eighty_times_faster_than_in_pure_python(benchmark):
    """The SDK as pip installs it, in a process of its own without the native curve."""
    pytest.importorskip("coincurve")
    sign = sign_ten()
    benchmark(sign)

    ran = subprocess.run(
        [sys.executable, "-c", PURE_PYTHON, __file__], capture_output=True, text=True, check=True
    )

    speedup = float(ran.stdout) / secs(sign, 100)
    benchmark.extra_info["times_sdk_pure_python"] = round(speedup, 1)
    assert speedup >= 23.0


def test_what_is_not_the_curve_costs_less_than_the_curve(benchmark):
    """Texts, hashes and JSON together stay below one signature."""
    pytest.importorskip("coincurve")
    curve, sign = Curve(KEY), sign_ten()
    benchmark(sign)

    ratio = secs(sign, 100) / secs(lambda: curve.sign(KEY), 100)

    benchmark.extra_info["times_the_curve"] = round(ratio, 2)
    assert ratio <= 2.5


if __name__ == "__main__":  # the child process
    pure = eth_account.Account.from_key(KEY)
    by_sdk(pure)
    print(secs(lambda: by_sdk(pure), 1, 15))
