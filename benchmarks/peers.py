"""Time hypermm beside what one would take instead, interleaved, in one process.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install -r benchmarks/peers-requirements.txt
    /tmp/peers/bin/python benchmarks/peers.py [--markdown] [--only WORD] [--rounds N]

The kernels come from this checkout's build (`python setup.py build_ext --inplace`). Before the
clock starts every answer is compared with hypermm's. Each round runs every candidate once, and the
best round counts, so that what else the machine does falls on all alike. Only ratios age well.

Exit status: 0, or 1 if a reach is missed and --strict is given.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.peer_works import MISSING, OURS, Work, all_works


def once(call: Callable[[], object], number: int) -> float:
    begin = perf_counter()
    for _ in range(number):
        call()
    return (perf_counter() - begin) / number


def measure(work: Work, rounds: int) -> None:
    """Compare the answers, then time the candidates in turns."""
    expected = np.array(work.candidates[OURS](), dtype=float)  # a copy: buffers are used again
    numbers = {}
    for name, call in work.candidates.items():
        answer = call()
        if answer is not None:
            np.testing.assert_allclose(
                np.asarray(answer, dtype=float),
                expected,
                rtol=work.rtol,
                err_msg=f"{work.name}: {name} and {OURS} differ",
            )
        numbers[name] = max(1, int(3e-3 / max(once(call, 3), 1e-8)))
    for _ in range(rounds):
        for name, call in work.candidates.items():
            secs = once(call, numbers[name]) / work.units
            work.best[name] = min(secs, work.best.get(name, np.inf))


def figure(secs: float) -> str:
    for scale, unit in ((1e9, "ns"), (1e6, "us"), (1e3, "ms")):
        if secs * scale < 1000.0:
            return f"{secs * scale:.3g} {unit}"
    return f"{secs:.3g} s"


def table(works: list[Work]) -> list[tuple[str, ...]]:
    lines = []
    for work in works:
        for name, secs in work.best.items():
            is_ours = name == OURS
            lines.append(
                (
                    work.name if is_ours else "",
                    name,
                    figure(secs),
                    "" if is_ours else f"{secs / work.best[OURS]:.2f}",
                    work.reach if is_ours else "",
                    ("yes" if work.is_reached(work.best) else "NO") if is_ours else "",
                )
            )
    return lines


HEADER = ("work", "by", "time", "x hypermm", "reach", "reached")


def show(lines: list[tuple[str, ...]], *, is_markdown: bool) -> None:
    if is_markdown:
        lines = [HEADER, ("---",) * len(HEADER), *lines]
        print("\n".join(f"| {' | '.join(line)} |" for line in lines))
        return
    lines = [HEADER, *lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--markdown", action="store_true", help="a table for a page")
    parser.add_argument("--only", default="", metavar="WORD", help="works whose name holds WORD")
    parser.add_argument("--rounds", type=int, default=15, help="of each work; the best counts")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a reach is missed")
    options = parser.parse_args()
    works = [work for work in all_works() if options.only.lower() in work.name.lower()]
    for work in works:
        measure(work, options.rounds)
    show(table(works), is_markdown=options.markdown)
    for name, why in MISSING.items():
        print(f"missing: {name}: {why}")
    return int(options.strict and not all(work.is_reached(work.best) for work in works))


if __name__ == "__main__":
    sys.exit(main())
