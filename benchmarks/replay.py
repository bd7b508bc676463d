"""Rows a second of a replay with a GLFT grid, beside hftbacktest, on one generated feed.

    python -m venv /tmp/replay && /tmp/replay/bin/pip install -r benchmarks/replay-requirements.txt
    /tmp/replay/bin/python benchmarks/replay.py                   # 5,000,000 rows, seed 11
    /tmp/replay/bin/python benchmarks/replay.py --rounds 5 --rows 3000000 --seed 4

The kernels come from this checkout's build (`python setup.py build_ext --inplace`), the venv has
its Python version. Both sides decide every 100 ms of the market about ten levels a side, one tick
apart, join the touch or stay behind it, send what differs with 20 ms of latency, refit every five
seconds, and fill by queue position. Each run is a process of its own, in turns, so that memory is
its own and what else the machine does falls on both; rates are by the processor's time.
hftbacktest has its feed in memory before its clock starts, compiled and warm; hypermm reads its
rows from disk while its clock runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
START_NS = 1_700_000_000_000_000_000
MID = 65_000  # USD, which is also ticks
EVENTS_PER_SEC = 240.0
DEPTH = 60  # levels a side
LEVELS, EVERY_NS, LATENCY_NS = 10, 100_000_000, 20_000_000
TRADE, BID, ASK = 0, 1, -1
CHUNK = 1 << 18  # rows


def feed(count: int, seed: int) -> dict[str, np.ndarray]:
    """Make a market of level changes and trades around a wandering touch, one tick wide.

    One event in ten is a trade at the touch, one in seventeen moves both prices by a tick (three
    rows), the others set the size of a level whose distance from the touch is geometric.
    """
    random = np.random.default_rng(seed)
    events = int(count / 1.12)
    kind = random.random(events)
    up = np.where(random.random(events) < 0.5, 1, -1)
    is_move = (kind >= 0.10) & (kind < 0.16)
    bid = MID + np.concatenate(([0], np.cumsum(np.where(is_move, up, 0))[:-1]))
    stamp = START_NS + np.cumsum(random.exponential(1e9 / EVENTS_PER_SEC, events)).astype(np.int64)
    near = np.minimum(random.geometric(0.12, events) - 1, DEPTH - 1)
    touch = np.where(up > 0, bid + 1, bid)  # where an aggressor of this direction trades
    first = np.where(is_move, touch, np.where(kind < 0.10, touch, touch + up * near))
    repeats = np.where(is_move, 3, 1)
    place = np.repeat(np.arange(events), repeats)
    step = np.arange(len(place)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    rise, moves = up[place], is_move[place]
    # A move empties the touch it takes, makes a new one behind it, and one far on its own side.
    price = first[place] + np.where(step == 1, 0, np.where(step == 2, rise * DEPTH, 0))
    side = np.where(moves & (step == 1), rise, -rise)
    is_trade = (kind < 0.10)[place]
    mean = np.where(is_trade, 0.2, np.where(moves & (step == 1), 2.0, 4.0))
    size = np.round(random.exponential(1.0, len(place)) * mean + 0.001, 5)
    size[moves & (step == 0)] = 0.0
    opening = np.arange(DEPTH)
    prices = np.concatenate((MID - opening, MID + 1 + opening, price))
    kinds = np.concatenate((np.full(2 * DEPTH, 1), np.where(is_trade, TRADE, 1)))
    sides = np.concatenate(
        (np.full(DEPTH, BID), np.full(DEPTH, ASK), np.where(is_trade, rise, side))
    )
    sizes = np.concatenate((random.exponential(4.0, 2 * DEPTH).round(5) + 0.01, size))
    stamps = np.concatenate((np.full(2 * DEPTH, START_NS), stamp[place]))
    cut = slice(0, count)
    return {"ns": stamps[cut], "price": prices[cut], "kind": kinds[cut], "side": sides[cut],
            "size": sizes[cut]}  # fmt: skip


def write_rows(market: dict[str, np.ndarray], path: Path) -> None:
    """Write the feed as hypermm's rows: a tenth of a dollar, 1e-5 of a coin."""
    from hypermm._core.grid import CHANGE
    from hypermm._core.rows import LEVEL, ROW_DTYPE
    from hypermm._core.rows import TRADE as KIND_TRADE

    rows = np.zeros(len(market["ns"]), ROW_DTYPE)
    is_trade = market["kind"] == TRADE
    rows["exch_ns"] = market["ns"]
    rows["price"] = market["price"] * 10
    rows["size"] = np.rint(market["size"] * 1e5)
    rows["side"] = market["side"]
    rows["kind"] = np.where(is_trade, KIND_TRADE, LEVEL)
    rows["flags"] = np.where(is_trade, 0, CHANGE)
    rows["id"] = np.arange(1, len(rows) + 1)
    rows.tofile(path)


def write_events(market: dict[str, np.ndarray], path: Path) -> None:
    """Write the feed as hftbacktest's events, seen 5 ms later at home."""
    from hftbacktest import BUY_EVENT, DEPTH_EVENT, EXCH_EVENT, LOCAL_EVENT, SELL_EVENT, TRADE_EVENT
    from hftbacktest.types import event_dtype

    events = np.zeros(len(market["ns"]), event_dtype)
    events["ev"] = EXCH_EVENT | LOCAL_EVENT
    events["ev"] |= np.where(market["side"] > 0, BUY_EVENT, SELL_EVENT).astype(np.uint64)
    events["ev"] |= np.where(market["kind"] == TRADE, TRADE_EVENT, DEPTH_EVENT).astype(np.uint64)
    events["exch_ts"], events["local_ts"] = market["ns"], market["ns"] + 5_000_000
    events["px"], events["qty"] = market["price"], market["size"]
    np.save(path, events)


def tell(began: float, first: float, secs: float, rows: int, **figures: object) -> None:
    status = Path("/proc/self/status").read_text()  # getrusage would show the parent's peak too
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    figures |= {"rate": rows / secs, "first_secs": first - began, "rss_mib": peak_kib >> 10}
    print(json.dumps(figures))


def play_hypermm(folder: Path, count: int, began: float) -> None:
    """Read rows in pieces of ten megabytes and walk them."""
    from hypermm._core.grid import GridReplay
    from hypermm._core.queue import MODEL_NAMES
    from hypermm._core.rows import ROW_DTYPE, Rows

    grid = GridReplay(
        low_price=500_000, high_price=800_000, tick=10, levels=LEVELS, lots=1000, max_lots=20_000,
        every_ns=EVERY_NS, latency_ns=LATENCY_NS, queue_model=MODEL_NAMES.index("power"),
        queue_exponent=2.0, maker_bps=0.0,
    )  # fmt: skip
    array = np.zeros(CHUNK, ROW_DTYPE)
    raw, whole = memoryview(array.view(np.uint8)), Rows(array)
    first = 0.0
    start = time.process_time()
    with (folder / "rows").open("rb", buffering=0) as file:
        while read := file.readinto(raw):
            grid.apply(whole.window(0, read // ROW_DTYPE.itemsize))
            first = first or time.time()
    secs = time.process_time() - start
    assert grid.rows == count
    tell(began, first, secs, count, decisions=grid.decisions, fills=grid.num_fills,
         orders=grid.orders, pnl_usd=round(grid.pnl_usd, 2))  # fmt: skip


def play_hftbacktest(folder: Path, count: int, began: float) -> None:
    """Warm up on the first rows, then run the whole."""
    from benchmarks.replay_peer import run

    events = np.load(folder / "events.npy")
    run(events[:50_000].copy(), LEVELS, EVERY_NS, LATENCY_NS)
    first = time.time()
    start = time.process_time()
    figures = run(events, LEVELS, EVERY_NS, LATENCY_NS)
    tell(began, first, time.process_time() - start, count, **figures)


PLAYERS = {"hypermm": play_hypermm, "hftbacktest": play_hftbacktest}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--play", choices=PLAYERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.play:
        PLAYERS[args.play](args.folder, args.rows, float(os.environ["REPLAY_BEGAN"]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        market = feed(args.rows, args.seed)
        span = (market["ns"][-1] - market["ns"][0]) / 1e9
        print(f"{args.rows:,} rows, seed {args.seed}: {span:,.0f} s of market")
        write_rows(market, folder / "rows")
        write_events(market, folder / "events.npy")
        del market
        found: dict[str, list[dict[str, float]]] = {player: [] for player in PLAYERS}
        for _ in range(args.rounds):
            for player in PLAYERS:
                command = [sys.executable, __file__, "--play", player, "--folder", name,
                           "--rows", str(args.rows)]  # fmt: skip
                began = {"REPLAY_BEGAN": repr(time.time())}
                done = subprocess.run(
                    command, capture_output=True, text=True, check=True, env=os.environ | began
                )
                found[player].append(json.loads(done.stdout))
                print(f"{player:12} {found[player][-1]}")
    best = {player: max(runs, key=lambda one: one["rate"]) for player, runs in found.items()}
    ours, peer = best["hypermm"], best["hftbacktest"]
    print(f"best rates: {ours['rate'] / 1e6:.2f} and {peer['rate'] / 1e6:.2f} million rows/s, "
          f"{ours['rate'] / peer['rate']:.1f} times; first result after {ours['first_secs']:.2f} "
          f"and {peer['first_secs']:.1f} s; memory {ours['rss_mib']} and {peer['rss_mib']} MiB, "
          f"1/{peer['rss_mib'] / ours['rss_mib']:.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
