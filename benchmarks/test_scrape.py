"""A scrape renders on its own thread: how long it can hold up a decision."""

import subprocess
import sys
import time

from hypermm.config import Config
from hypermm.engine import Engine
from hypermm.instrument import Instrument
from hypermm.messages import TIMER
from hypermm.metrics import SWITCH_SECS, Metrics

BTC = Instrument(coin="BTC", asset_id=0, size_decimals=5)
SCRAPER = """
import sys, urllib.request
while True:
    urllib.request.urlopen(sys.argv[1]).read()
"""
SECS = 3.0


def longest_steps_ms(engine: Engine, start_ns: int) -> list[float]:
    """Durations of steps on a timer for some seconds, the longest last."""
    found = []
    give_up = time.perf_counter() + SECS
    while time.perf_counter() < give_up:
        began = time.perf_counter()
        engine.step(TIMER, start_ns + int(began * 1e9))
        found.append((time.perf_counter() - began) * 1e3)
    return sorted(found)


def test_a_scrape_holds_up_a_decision_for_less_than_a_millisecond(benchmark):
    """Scraped without a pause by another process; the slowest of a hundred decisions."""
    engine = Engine(Config(), BTC, account="0x" + "11" * 20, session_start_secs=1)
    metrics = Metrics(BTC)
    metrics.show(engine.snapshot())
    alone = longest_steps_ms(engine, 0)
    stop = metrics.serve("127.0.0.1", port := 9_000 + time.time_ns() % 900)
    scraper = subprocess.Popen([sys.executable, "-c", SCRAPER, f"http://127.0.0.1:{port}/metrics"])
    try:
        time.sleep(0.5)
        scraped = benchmark.pedantic(longest_steps_ms, (engine, 10**6), rounds=1)
    finally:
        scraper.kill()
        scraper.wait()
        stop()

    delay_ms = _p99(scraped) - _p99(alone)
    benchmark.extra_info["alone_p99_ms"] = round(_p99(alone), 3)
    benchmark.extra_info["scraped_p99_ms"] = round(_p99(scraped), 3)
    benchmark.extra_info["switch_ms"] = SWITCH_SECS * 1e3
    assert delay_ms < 1.0


def _p99(ordered: list[float]) -> float:
    return ordered[int(0.99 * len(ordered))]
