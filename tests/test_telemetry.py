"""A log line stays a line, whatever the exchange writes, and every form can be parsed back."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm import telemetry
from hypermm.errors import ConfigError
from hypermm.messages import Level, Notice

ROOT = Path(__file__).resolve().parent.parent
MOMENT = datetime(2026, 11, 27, 10, 20, 30, tzinfo=UTC)


@pytest.fixture
def log_file(tmp_path):
    """A log file whose handler is closed afterwards."""
    yield tmp_path / "mm.log"
    for handler in telemetry.LOGGER.handlers[:]:
        telemetry.LOGGER.removeHandler(handler)
        handler.close()


def formatted(form: str, notice: Notice) -> str:
    record = logging.LogRecord("hypermm", notice.level, "", 0, "%s", (notice.event,), None, None)
    record.fields = notice.fields
    return telemetry.FORMATTERS[form]().format(record)


@given(st.text(), st.dictionaries(st.sampled_from(["text", "price", "reason"]), st.text()))
@pytest.mark.parametrize("form", ["pretty", "json", "compact"])
def test_hostile_text_cannot_break_a_line(form, event, fields):
    """Newlines, escape codes and control characters of the exchange's text are escaped."""
    line = formatted(form, Notice(Level.INFO, event, fields))

    assert line.isprintable()
    if form == "json":
        assert json.loads(line)["level"] == "INFO"


def test_json_lines_answer_the_operators_queries():
    """`jq` selects by target and message; fields keep their names."""
    line = formatted("json", Notice(Level.INFO, "Fill processed", {"size_lots": 3}))

    entry = json.loads(line)
    assert entry["target"] == "hypermm"
    assert entry["message"] == "Fill processed"
    assert entry["size_lots"] == 3
    assert entry["timestamp"].endswith("Z")


def test_levels_are_the_operators_words(log_file):
    """`grep WARN` and `grep ERROR` count what they should; debug is off at info."""
    telemetry.start_logging(level="info", form="pretty", file=log_file)

    for level in Level:
        telemetry.write(Notice(level, f"event {level.name.lower()}"))

    lines = log_file.read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["INFO", "WARN", "ERROR"]
    assert log_file.stat().st_mode & 0o777 == 0o640


def test_a_log_file_that_cannot_be_written_is_a_clear_error(tmp_path):
    """Found at the start, not at the first fill."""
    (tmp_path / "taken").write_text("")

    with pytest.raises(ConfigError, match=r"log file .* cannot be written"):
        telemetry.start_logging(level="info", form="json", file=tmp_path / "taken" / "mm.log")


def test_each_stream_has_a_level_and_a_file_of_its_own(tmp_path):
    """An operator follows fills alone, at debug, while the rest stays at warnings."""
    stem = tmp_path / "logs" / telemetry.log_name("hyna", "hyna:BTC", MOMENT)
    telemetry.start_logging(
        level="warn", form="json", file=None, levels={"fills": "debug", "risk": ""}, streams=stem
    )

    for event in ("Fill processed", "Quote cycle", "Quotes pulled", "Reconnecting"):
        telemetry.write(Notice(Level.DEBUG, event))
        telemetry.write(Notice(Level.WARN, event))
    for handler in telemetry.LOGGER.handlers[:]:
        telemetry.LOGGER.removeHandler(handler)
        handler.close()

    files = sorted(path.name for path in stem.parent.iterdir())
    assert files == [
        f"mm_hyna_hyna-BTC_2026-11-27_10-20-30_{stream}.log"
        for stream in ("fills", "market", "quotes", "risk", "system")
    ]
    lines = {
        path.stem.rsplit("_", 1)[1]: [json.loads(x) for x in path.read_text().splitlines()]
        for path in stem.parent.iterdir()
    }
    assert [x["level"] for x in lines["fills"]] == ["DEBUG", "WARN"]
    assert [x["message"] for x in lines["quotes"]] == ["Quote cycle"]
    assert [x["message"] for x in lines["risk"]] == ["Quotes pulled"]
    assert [x["message"] for x in lines["system"]] == ["Reconnecting"]
    assert lines["market"] == []


def test_every_event_of_a_stream_is_said_somewhere():
    """A stream that waits for an event which nobody writes would be a file that stays empty."""
    sources = "".join(
        p.read_text() for p in (ROOT / "hypermm").rglob("*.py") if p.stem != "telemetry"
    )
    missing = [
        e for events in telemetry.STREAMS.values() for e in events if f'"{e}"' not in sources
    ]
    assert missing == []
