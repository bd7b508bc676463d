"""A log line stays a line, whatever the exchange writes, and every form can be parsed back."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm import telemetry
from hypermm.errors import ConfigError
from hypermm.messages import Level, Notice


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
