"""A book frame to rows, and orders to the exchange's form, against the best that libraries do."""

from timeit import repeat

import msgspec
import numpy as np
from hyperliquid.utils.signing import order_request_to_order_wire
from hyperliquid.utils.types import Cloid

from hypermm._core.rows import ROW_DTYPE, Rows
from hypermm._core.scan import Scanner
from hypermm.hyperliquid.budget import Budget
from hypermm.hyperliquid.session import Session
from hypermm.hyperliquid.signing import Nonces
from hypermm.hyperliquid.wire import encode_action
from hypermm.instrument import Instrument
from hypermm.messages import Order, PlaceOrders, Side

BTC = Instrument(coin="BTC", asset_id=0, size_decimals=5)
ORDERS = PlaceOrders(
    1,
    tuple(
        Order((5 << 96) + i, Side.BUY if i % 2 else Side.SELL, 650_005 + 10 * i, 1_230 + 100 * i)
        for i in range(10)
    ),
)


class Level(msgspec.Struct, gc=False):
    px: str
    sz: str
    n: int


class Book(msgspec.Struct, gc=False):
    coin: str
    time: int
    levels: tuple[list[Level], list[Level]]


class Frame(msgspec.Struct, gc=False):
    channel: str
    data: Book


DECODE = msgspec.json.Decoder(Frame).decode


def side(start, step):
    """Make 20 levels like recorded ones: a whole price and a size of one to five decimals."""
    return [
        {
            "px": f"{start + step * i}.0",
            "sz": BTC.print_size((i * 7_919) % 98_765 + 1),
            "n": i % 9 + 1,
        }
        for i in range(20)
    ]


BOOK = msgspec.json.encode(
    {
        "channel": "l2Book",
        "data": {
            "coin": "BTC",
            "time": 1_789_582_828_935,
            "levels": [side(75_951, -1), side(75_952, 1)],
        },
    }
)


def secs(call, number):
    """Return the best time of a call."""
    return min(repeat(call, number=number, repeat=15)) / number


def floats():
    """Read the frame with the fastest typed library and convert its texts."""
    numbers = []
    for levels in DECODE(BOOK).data.levels:
        for level in levels:
            numbers.append(float(level.px))
            numbers.append(float(level.sz))
    return numbers


def rows_from_floats():
    """Make the rows that the kernels walk, the same way."""
    book = DECODE(BOOK).data
    time = book.time * 1_000_000
    rows = [
        (time, round(float(level.px) * 10), round(float(level.sz) * 1e5), 0, level.n, 2, sign, i, 0)
        for sign, levels in zip((1, -1), book.levels, strict=True)
        for i, level in enumerate(levels)
    ]
    return np.array(rows, ROW_DTYPE)


def test_a_book_becomes_rows_much_faster_than_through_a_json_library(benchmark):
    """The peer makes the same 40 rows; what it takes to get only the floats is told beside."""
    scanner, rows = Scanner("BTC", BTC.price_decimals, BTC.size_decimals), Rows.allocate(64)

    def scan():
        rows.clear()
        return scanner.scan(BOOK, rows)

    assert benchmark(scan) == 40
    expected = rows_from_floats()
    for name in ("price", "size", "count", "side", "index", "exch_ns"):
        np.testing.assert_array_equal(rows.array[name], expected[name])

    ours = secs(scan, 500)
    to_rows = secs(rows_from_floats, 50) / ours
    to_floats = secs(floats, 100) / ours
    benchmark.extra_info["times_json_to_rows"] = round(to_rows, 1)
    benchmark.extra_info["times_json_to_floats"] = round(to_floats, 1)
    assert to_rows >= 5.0
    assert to_floats >= 1.7


def test_the_frames_way_through_the_session_stays_short(benchmark):
    """What the scan takes, the session's own checks and the change of buffers."""
    session = Session(BTC, "0x" + 40 * "a", None, Nonces(), Budget())
    session.connected(0)

    def receive():
        session.receive(BOOK, 0)
        return session.take_batch()

    assert len(receive().rows) == 40
    benchmark(receive)

    ratio = secs(floats, 100) / secs(receive, 200)
    benchmark.extra_info["times_json_to_floats"] = round(ratio, 1)
    assert ratio >= 1.5


def test_ten_orders_are_encoded_much_faster_than_by_the_sdk(benchmark):
    """From wanted orders to the exchange's form; the SDK starts from floats."""
    requests = [
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

    def by_sdk():
        return [order_request_to_order_wire(request, 0) for request in requests]

    def ours():
        return encode_action(ORDERS, BTC)

    action = benchmark(ours)

    assert msgspec.to_builtins(action)["orders"] == by_sdk()
    ratio = secs(by_sdk, 50) / secs(ours, 200)
    benchmark.extra_info["times_sdk"] = round(ratio, 1)
    assert ratio >= 3.0
