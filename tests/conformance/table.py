"""The page `docs/reference/conformance.md`: which client passes which step."""

from collections.abc import Mapping
from pathlib import Path

from tests.conformance.runner import Result
from tests.conformance.session import STEPS

HEAD = """\
# Which clients trade on the exchange in a box

Real clients, unmodified, each on an exchange of its own; only their base URLs are set.
`python -m tests.conformance` installs them under `build/conformance` from the locks in
`tests/conformance`, runs them, and writes this page. An empty cell is a step that the client has
no call for, or that its script does not make. A trap is a mistake of the client, which the real
exchange refuses too.
"""


def write(results: Mapping[str, Result], path: Path) -> None:
    """Write the page from the results of a run of all clients."""
    lines = [HEAD, "| client | package | passed | failed | traps |", "|---|---|---|---|---|"]
    for name, result in results.items():
        counts = f"{result.passed} | {len(result.failures)} | {len(result.traps)}"
        if result.missing:
            counts = "not installed | | "
        lines.append(f"| {name} | {result.package} {result.version} | {counts} |")
    lines += [
        "",
        "| step | shows | " + " | ".join(results) + " |",
        "|---|---|" + "---|" * len(results),
    ]
    for step, doc in STEPS.items():
        cells = (_cell(result, step) for result in results.values())
        lines.append(f"| `{step}` | {doc} | " + " | ".join(cells) + " |")
    for title, notes in (
        ("Not installed", [(name, "", r.missing) for name, r in results.items() if r.missing]),
        ("Failures", [(n, s, w) for n, r in results.items() for s, w in r.failures.items()]),
        ("Traps", [(n, s, w) for n, r in results.items() for s, w in r.traps.items()]),
    ):
        if notes:
            lines += ["", f"## {title}", ""]
            lines += [f"- {name} {step}: {_plain(why)}" for name, step, why in notes]
    path.write_text("\n".join(lines) + "\n")


def _cell(result: Result, step: str) -> str:
    if step not in result.told:
        return ""
    if step in result.traps:
        return "trap"
    return "**fail**" if result.told[step] else "pass"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")
