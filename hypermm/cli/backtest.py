"""The command `backtest`."""

import argparse
import json
import re
import sys
from pathlib import Path

from hypermm.cli.options import DEFAULT_SEED, load_config, say, seed
from hypermm.errors import shown

HELP = "run the engine on a market in virtual time"
QUEUE_MODELS = ("risk_averse", "power", "log", "power2", "log2", "power3")
LATENCY_MODELS = ("constant", "lognormal", "recorded")


def latencies(text: str) -> tuple[float, float, float]:
    """Read one delay in ms, or those of orders, replies and data."""
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?(,[0-9]{1,5}(\.[0-9]{1,3})?){0,2}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not MS or ORDER,REPLY,DATA in ms")
    given = [float(one) for one in text.split(",")]
    order, reply, data = given if len(given) == 3 else (given[0], given[-1], given[-1])
    return order, reply, data


def fees(text: str) -> tuple[float, float]:
    """Read the fees of a maker and a taker in bps."""
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,2})?,[0-9]{1,2}(\.[0-9]{1,2})?", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not MAKER,TAKER in bps, as 1.5,4.5")
    maker, taker = (float(one) for one in text.split(","))
    return maker, taker


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add(
        "path", nargs="?", default="synthetic", metavar="PATH",
        help="a recording (file or folder), synthetic, or synthetic:COIN",
    )  # fmt: skip
    add("--seed", type=seed, default=DEFAULT_SEED, help="seed of market, ids and drawn latencies")
    add("--json", action="store_true", help="print the result as JSON, the fills with it")
    add("--out", type=Path, metavar="REPORT.html", help="write a report that needs no other file")
    add(
        "--latency", type=latencies, default=(50.0, 50.0, 50.0), metavar="MS",
        help="one-way delay, or ORDER,REPLY,DATA (default: 50)",
    )  # fmt: skip
    add(
        "--latency-model", choices=LATENCY_MODELS, default="constant",
        help="constant; lognormal around these medians; recorded: the recorder's lags on top",
    )  # fmt: skip
    add(
        "--queue-model", choices=QUEUE_MODELS, default="risk_averse",
        help="who left when a price shows less (default: risk_averse, the pessimistic bound)",
    )  # fmt: skip
    add("--queue-exponent", type=float, default=3.0, help="n of the power models (default: 3)")
    add("--fees", type=fees, metavar="MAKER,TAKER", help="in bps (default: the base tier)")
    add("--keep-gaps", action="store_true", help="play a recording's silences as a dead feed")


def run(args: argparse.Namespace) -> int:
    """Run the engine on a market in virtual time and print what it did. Sends nothing."""
    from hypermm.backtesting import backtest
    from hypermm.sim.latency import Latency
    from hypermm.sim.market import open_market

    settings, _ = load_config(args)
    write = None
    if args.out is not None:  # before the run: a missing package must not cost its time
        from hypermm.report import report_writer

        write = report_writer(args.out)

    def note(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    announce = note if args.json else say
    order_ms, reply_ms, data_ms = args.latency
    result = backtest(
        open_market(args.path, args.seed, loop=False, announce=announce),
        settings,
        coin=vars(args).get("trading.asset"),
        seed=args.seed,
        duration_secs=vars(args).get("duration"),
        latency=Latency(
            order_ms=order_ms, reply_ms=reply_ms, data_ms=data_ms, model=args.latency_model
        ),
        queue_model=args.queue_model,
        queue_exponent=args.queue_exponent,
        fees_bps=args.fees,
        keep_gaps=args.keep_gaps,
        record=vars(args).get("record"),
        shows_progress=True,
    )
    print(json.dumps(result.to_dict()) if args.json else result)
    if write is not None:
        write(result)
        note(f"{args.out}: written")
    return 0
