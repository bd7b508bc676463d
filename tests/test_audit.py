"""What went into an engine is kept, and played again does the same; or it is said where not."""

import json

import pytest

from hypermm import audit, backtest
from hypermm.cli.main import main
from hypermm.errors import RecordingError
from hypermm.inputs import decode, encode, read_inputs
from hypermm.messages import Fill, OpenOrders, Side


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    file = tmp_path_factory.mktemp("inputs") / "session"
    return file, backtest("synthetic:WLFI", seed=1, duration_secs=120.0, record=file)


def test_the_same_inputs_give_the_recorded_actions(recorded):
    """And the same digest: nothing else went in."""
    file, result = recorded

    found = audit(file)

    assert found.difference is None
    assert found.digest == result.digest
    assert found.steps == result.steps
    assert found.actions > 10


def test_a_recorded_run_is_the_one_that_is_not(recorded):
    """Writing changes nothing."""
    assert backtest("synthetic:WLFI", seed=1, duration_secs=120.0) == recorded[1]


def test_another_engine_is_found_out_at_its_first_other_action(recorded, tmp_path):
    """Here one with another risk aversion; the step and both answers are shown."""
    line, _, steps = recorded[0].read_bytes().partition(b"\n")
    header = json.loads(line)
    header["config"]["trading.risk_aversion"] = 1.0
    other = tmp_path / "other"
    other.write_bytes(json.dumps(header).encode() + b"\n" + steps)

    found = audit(other)

    assert found.difference is not None
    assert found.difference.recorded != found.difference.now
    assert f"differs at step {found.difference.step}" in str(found)


def test_the_commands_write_and_compare(tmp_path, capsys):
    """0 for the same; the tutorial's way."""
    file = str(tmp_path / "inputs")

    assert main(["backtest", "synthetic:WLFI", "--duration", "30s", "--record", file]) == 0
    assert main(["replay", file]) == 0

    assert "every action is the recorded one" in capsys.readouterr().out


def test_no_key_is_in_the_record(recorded):
    """The file is handed to whoever looks for a defect."""
    assert b"private_key" not in recorded[0].read_bytes()


def test_a_torn_last_step_is_left_out(recorded, tmp_path):
    """A process that died was writing."""
    torn = tmp_path / "torn"
    torn.write_bytes(recorded[0].read_bytes()[:-3])

    assert audit(torn).steps == audit(recorded[0]).steps - 1


@pytest.mark.parametrize("content", [b"", b"hello\n", b"[1]\n", b'{"format": 99}\n', b"\xff\n"])
def test_what_is_no_record_is_refused(tmp_path, content):
    """With the file's name, by the command too."""
    file = tmp_path / "x"
    file.write_bytes(content)

    with pytest.raises(RecordingError, match="no record of an engine's inputs"):
        audit(file)
    assert main(["replay", str(file)]) == 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecordingError, match="cannot be read"):
        read_inputs(tmp_path / "nowhere")


def test_values_survive_the_way_to_disk_and_back():
    """Enums, nested values, None and floats to the last bit."""
    fill = Fill(1, 2, None, Side.SELL, 3, 4, 0.1 + 0.2, 5, -6, float("-0.0"), False)
    event = (fill, OpenOrders(7, ()))

    assert decode(json.loads(json.dumps(encode(event)))) == event
