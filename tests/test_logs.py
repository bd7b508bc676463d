"""A session's log is read back, whatever its form, into counts, issues and advice."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm import cli, telemetry
from hypermm.logbook import parse_lines, read_log
from hypermm.messages import Level, Notice

SESSION = (
    Notice(Level.INFO, "Market maker started", {"asset": "BTC", "position": "0"}),
    Notice(Level.INFO, "Parameter estimation warmed up", {"trades": 50}),
    Notice(Level.INFO, "Quote cycle", {"quoted_spread_bps": 10.5, "orders_placed": 12}),
    Notice(
        Level.INFO,
        "Fill processed",
        {"side": "buy", "position": "0.5", "day_pnl_usd": 1.25, "fee_usd": 0.01, "is_taker": False},
    ),
    Notice(Level.INFO, "Trades processed", {"trades": 30}),
    Notice(Level.WARN, "Quotes pulled", {"reason": "market data 3.1 s old, limit 3.0 s"}),
    Notice(Level.ERROR, "KILL SWITCH TRIGGERED", {"reason": "daily loss: -501.00 USD"}),
)


def lines_of(form: str, notices=SESSION) -> list[str]:
    lines = []
    for notice in notices:
        record = logging.LogRecord("hypermm", notice.level, "", 0, "%s", (notice.event,), None)
        record.fields = notice.fields
        lines.append(telemetry.FORMATTERS[form]().format(record))
    return lines


@pytest.mark.parametrize("form", ["pretty", "json", "compact"])
def test_every_form_is_read_back(form, tmp_path):
    """The analysis does not depend on how the lines looked."""
    path = tmp_path / "mm.log"
    path.write_text("\n".join(lines_of(form)) + "\nnot one of ours\n")

    session = read_log(path)

    assert (session.levels["WARN"], session.levels["ERROR"]) == (1, 1)
    assert (session.buys, session.sells, session.takers) == (1, 0, 0)
    assert session.day_pnl_usd == 1.25
    assert session.largest_position == 0.5
    assert session.spreads_bps == [10.5]
    assert session.foreign_lines == 1
    assert [issue.severity for issue in session.issues()] == ["critical", "warning"]
    assert "501.00" in session.issues()[0].detail
    assert any("no end" in question for question in session.questions())


@given(
    st.sampled_from(["pretty", "json", "compact"]),
    st.sampled_from([notice.event for notice in SESSION]),
    st.dictionaries(st.sampled_from(["reason", "text", "price"]), st.text(max_size=30), max_size=3),
)
def test_fields_survive_the_way_to_the_file_and_back(form, event, fields):
    """Quotes, equals signs and control characters in the exchange's texts included."""
    (line,) = lines_of(form, [Notice(Level.WARN, event, fields)])

    (entry,) = parse_lines([line])

    assert entry is not None
    assert (entry.level, entry.event) == ("WARN", event)
    assert set(entry.fields) == set(fields)


def test_the_command_prints_and_keeps_a_checkpoint(tmp_path, monkeypatch, capsys):
    """The session's page is named for its date; an existing one is kept."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mm.log").write_text("\n".join(lines_of("json")))

    assert cli.main(["logs", "mm.log", "--checkpoint", "first_try"]) == 0
    shown = capsys.readouterr().out
    assert "KILL SWITCH TRIGGERED (1): find the cause" in shown
    (page,) = tmp_path.glob("session_*_first_try.md")
    assert "1 buys, 0 sells" in page.read_text()
    assert cli.main(["logs", "mm.log", "--checkpoint", "first_try"]) == 2
    capsys.readouterr()
    assert cli.main(["logs", "mm.log", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fills"]["buys"] == 1


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff garbage\n" * 3])
def test_a_file_that_is_no_log_is_named(tmp_path, content, capsys):
    """Missing, empty, or something else."""
    path = tmp_path / "mm.log"
    if content is not None:
        path.write_bytes(content)

    assert cli.main(["logs", str(path)]) == 2
    assert str(path) in capsys.readouterr().err
