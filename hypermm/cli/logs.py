"""The command `logs`."""

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hypermm.errors import ConfigError, shown

if TYPE_CHECKING:
    from hypermm.logbook import Session

HELP = "say what happened in a session's log, what was wrong, and what to change"
COUNTED = ("Quote cycle", "Trades processed", "Fill processed")


def description(text: str) -> str:
    """Read the short description of a checkpoint."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not of letters, digits, _ and -")
    return text


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("file", type=Path, help="log file of a session, in any form")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--checkpoint",
        type=description,
        metavar="DESCRIPTION",
        help="also write session_DATE_DESCRIPTION.md",
    )


def run(args: argparse.Namespace) -> int:
    """Analyse a log. Reads one file, and writes one where a checkpoint is asked for."""
    from hypermm.logbook import read_log

    session = read_log(args.file)
    print(json.dumps(_data(session), indent=2) if args.json else _text(session, args.file))
    if args.checkpoint is not None:
        match = re.match(r"\d{4}-\d\d-\d\d", session.first)
        if match is None:
            raise ConfigError(
                f"{args.file} does not say its date, which names the checkpoint",
                hint="use a log in the pretty or json form",
            )
        path = Path(f"session_{match[0]}_{args.checkpoint}.md")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(f"# Session {match[0]}: {args.checkpoint}\n\n```\n")
                file.write(f"{_text(session, args.file)}\n```\n")
        except FileExistsError:
            raise ConfigError(f"{path} exists", hint="choose another description") from None
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
        print(f"\n{path}: written")
    return 0


def _data(session: "Session") -> dict[str, object]:
    from attrs import asdict

    return {
        "first": session.first,
        "last": session.last,
        "levels": dict(session.levels),
        "events": dict(session.events),
        "fills": {"buys": session.buys, "sells": session.sells, "takers": session.takers},
        "fees_usd": session.fees_usd,
        "largest_position": session.largest_position,
        "last_position": session.last_position,
        "day_pnl_usd": session.day_pnl_usd,
        "issues": [asdict(issue) for issue in session.issues()],
        "questions": session.questions(),
    }


def _text(session: "Session", path: Path) -> str:
    secs = session.secs
    lasted = f", {secs:,.0f} s" if secs is not None else ""
    lines = [f"{path}: {session.entries:,} lines from {session.first} to {session.last}{lasted}"]
    lines += ["", "Counts"]
    lines += [f"  {session.levels[level]:>7,}  {level}" for level in ("ERROR", "WARN")]
    lines += [f"  {session.events[event]:>7,}  {event}" for event in COUNTED]
    lines += ["", "Behaviour"]
    pnl = "unknown" if session.day_pnl_usd is None else f"{session.day_pnl_usd:+,.2f} USD"
    lines += [
        (
            f"  fills      {session.buys} buys, {session.sells} sells, {session.takers} as taker, "
            f"{session.fees_usd:,.4f} USD fees"
        ),
        (
            f"  position   {session.last_position or 'unknown'} at the end, at most "
            f"{session.largest_position:g}"
        ),
        f"  P&L        {pnl} for the UTC day at the end",
    ]
    if session.spreads_bps:
        mean = sum(session.spreads_bps) / len(session.spreads_bps)
        lines.append(
            f"  quoting    {mean:.2f} bps wide on average, {session.orders_placed:,} orders"
        )
    lines += ["", "Issues, the worst first"]
    issues = session.issues()
    for issue in issues:
        lines.append(f"  {issue.severity:<8} {issue.event} ({issue.count}): {issue.advice}")
        if issue.detail:
            lines.append(f"           latest: {issue.detail[:200]}")
    if not issues:
        lines.append("  none")
    lines += ["", "Open questions"]
    lines += [f"  {question}" for question in session.questions()] or ["  none"]
    return "\n".join(lines)
