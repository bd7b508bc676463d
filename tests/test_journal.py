"""The state directory: what survives a crash, a second start, a full disk and damage."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hypermm.errors import ConfigError, StartRefusedError
from hypermm.journal import (
    NONCE_BLOCK_MS,
    EmbeddedExchange,
    LocalState,
    StateDirectory,
    state_root,
)
from hypermm.ledger import DayFigures
from hypermm.risk import Latch

ACCOUNT = "0x" + "ab" * 20
WALL_MS = 1_757_000_000_000


def some_day() -> DayFigures:
    """Figures with a different value in each field."""
    values = {
        name: (20_000 + i) if attribute.type is int else 1.5 * (i + 1)
        for i, (name, attribute) in enumerate(attrs.fields_dict(DayFigures).items())
    }
    return DayFigures(**values)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path, "testnet", ACCOUNT)


def test_the_root_follows_the_desktop_standard(tmp_path: Path) -> None:
    """XDG_STATE_HOME if it is absolute, else ~/.local/state."""
    home = {"HOME": str(tmp_path)}

    assert state_root(home) == tmp_path / ".local" / "state" / "hypermm"
    assert state_root({**home, "XDG_STATE_HOME": "/s"}) == Path("/s/hypermm")
    assert state_root({**home, "XDG_STATE_HOME": "here"}) == state_root(home)


def test_only_the_owner_can_look_inside(tmp_path: Path) -> None:
    """Every folder that is ours has mode 700 and every file 600, whatever the umask is."""
    before = os.umask(0)
    try:
        state = StateDirectory(tmp_path / "hypermm", "testnet", ACCOUNT.upper().replace("X", "x"))
        state.write_latch(Latch(reason="loss", at_exch_ns=WALL_MS * 10**6))
    finally:
        os.umask(before)

    assert state.path == tmp_path / "hypermm" / "testnet" / ACCOUNT
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(state.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((state.path / "kill.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("account", ["", "..", "a/b", "0x\n", ".hidden"])
def test_an_account_cannot_lead_out_of_the_directory(tmp_path: Path, account: str) -> None:
    """The account may come from a file that somebody else wrote."""
    with pytest.raises(ConfigError, match="not usable as the name"):
        StateDirectory(tmp_path, "testnet", account)


def test_a_directory_that_cannot_be_written_names_the_way_out(tmp_path: Path) -> None:
    """A start without state would forget the kill latch, so it is refused."""
    blocker = tmp_path / "file"
    blocker.write_text("")

    with pytest.raises(ConfigError, match="cannot be used") as caught:
        StateDirectory(blocker / "hypermm", "testnet", ACCOUNT)

    assert "XDG_STATE_HOME" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_missing_permission_is_found_at_the_start(tmp_path: Path) -> None:
    """Not only when the first kill has to be written."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)

    with pytest.raises(ConfigError, match="Permission denied"):
        StateDirectory(locked, "testnet", ACCOUNT)


def test_a_second_instance_on_the_account_is_refused(tmp_path: Path) -> None:
    """PR-09: two makers on one account would each see the other's orders as orphans."""
    with StateDirectory(tmp_path, "testnet", ACCOUNT).lock():
        with pytest.raises(StartRefusedError, match=f"pid {os.getpid()}"):
            StateDirectory(tmp_path, "testnet", ACCOUNT).lock()
        StateDirectory(tmp_path, "mainnet", ACCOUNT).lock().release()

    StateDirectory(tmp_path, "testnet", ACCOUNT).lock().release()


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    """The kernel gives the lock up, so a restart after `kill -9` needs no operator."""
    program = (
        "import sys, pathlib\n"
        "from hypermm.journal import StateDirectory\n"
        "state = StateDirectory(pathlib.Path(sys.argv[1]), 'testnet', sys.argv[2]).lock()\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), ACCOUNT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(StartRefusedError, match=f"pid {child.pid}"):
            StateDirectory(tmp_path, "testnet", ACCOUNT).lock()

        child.send_signal(signal.SIGKILL)
        child.wait()

    StateDirectory(tmp_path, "testnet", ACCOUNT).lock().release()


def test_the_latch_stands_until_it_is_cleared(tmp_path: Path, state: StateDirectory) -> None:
    """RK-04: a restart after a kill has to find it, with its reason."""
    latch = Latch(reason="daily loss 512.30 USD > 500.00 USD", at_exch_ns=WALL_MS * 10**6)
    assert state.latch() is None

    state.write_latch(latch)

    after_restart = StateDirectory(tmp_path, "testnet", ACCOUNT)
    assert after_restart.latch() == latch
    assert after_restart.clear_latch() == latch
    assert after_restart.latch() is None
    assert after_restart.clear_latch() is None


def test_day_figures_survive(tmp_path: Path, state: StateDirectory) -> None:
    """FA-07: loss and peak go on after a restart, or a restart would be a way around the limit."""
    assert state.day(WALL_MS).value is None

    state.write_day(some_day())

    assert StateDirectory(tmp_path, "testnet", ACCOUNT).day(WALL_MS).value == some_day()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 200), at=st.integers(0, 200), bits=st.integers(0, 255))
def test_no_damage_to_a_file_stops_a_start(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, bits: int
) -> None:
    """PR-12: cut anywhere, with any byte turned, each file is read, set aside or still a latch."""
    state = StateDirectory(tmp_path_factory.mktemp("state"), "testnet", ACCOUNT)
    state.write_day(some_day())
    state.write_latch(Latch(reason="loss", at_exch_ns=WALL_MS * 10**6))
    state.reserve_nonce(WALL_MS)
    for name in ("day.json", "kill.json", "nonce.json"):
        data = bytearray((state.path / name).read_bytes()[:cut])
        if at < len(data):
            data[at] ^= bits
        (state.path / name).write_bytes(data)

    day, high_water = state.day(WALL_MS), state.nonce_high_water(WALL_MS)

    assert state.latch() is not None
    assert day.value is not None or day.set_aside is not None
    assert high_water.value != 0 or high_water.set_aside is not None
    for kept in (day, high_water):
        if kept.set_aside is not None:
            assert kept.set_aside.is_file()
    assert state.day(WALL_MS).set_aside is None


def test_what_json_lets_through_is_still_damage(state: StateDirectory) -> None:
    """NaN and a text where a number is due would switch a limit off."""
    good = json.loads(json.dumps(attrs.asdict(some_day())))
    name = next(key for key, value in good.items() if isinstance(value, float))

    for bad in (float("nan"), "1.0", None, True):
        (state.path / "day.json").write_text(json.dumps({**good, name: bad}))
        assert state.day(WALL_MS).value is None
    (state.path / "day.json").write_text(" " * 1_000_000)
    assert state.day(WALL_MS).set_aside is not None


def test_a_nonce_is_on_disk_before_it_is_used(tmp_path: Path, state: StateDirectory) -> None:
    """OP-10: after any crash the next process starts above every nonce of this one."""
    writes = 0
    last_stat = None
    for nonce in range(WALL_MS, WALL_MS + 200_000, 50):
        state.reserve_nonce(nonce)
        current = (state.path / "nonce.json").stat().st_ino
        writes += current != last_stat
        last_stat = current

        after_crash = StateDirectory(tmp_path, "testnet", ACCOUNT)
        assert after_crash.nonce_high_water(WALL_MS).value >= nonce

    assert writes <= 200_000 // NONCE_BLOCK_MS + 1


def test_a_failing_disk_names_the_file(state: StateDirectory) -> None:
    """PR-03: a figure that cannot be kept is an error for the operator, never a silent loss."""
    (state.path / "kill.json.new").mkdir()

    with pytest.raises(ConfigError, match=r"kill\.json"):
        state.write_latch(Latch(reason="loss", at_exch_ns=WALL_MS * 10**6))


def test_a_half_written_file_never_replaces_a_whole_one(state: StateDirectory) -> None:
    """A crash inside a write leaves the old figures and a leftover that nobody reads."""
    state.write_day(some_day())
    (state.path / "day.json.new").write_text('{"utc_')

    assert state.day(WALL_MS).value == some_day()


def test_the_throw_away_key_is_made_once(tmp_path: Path) -> None:
    """A killed bot finds its account, and so its orders, again."""
    local = LocalState(tmp_path)
    key = local.key(WALL_MS)

    assert len(key) == 66
    assert int(key, 16) > 0
    assert LocalState(tmp_path).key(WALL_MS) == key
    assert stat.S_IMODE((local.path / "exchange.key").stat().st_mode) == 0o600


def test_a_damaged_key_is_replaced(tmp_path: Path) -> None:
    """It belongs to an account that is thrown away anyway."""
    local = LocalState(tmp_path)
    (local.path / "exchange.key").write_bytes(b"0x12\xff")

    key = local.key(WALL_MS)

    assert LocalState(tmp_path).key(WALL_MS) == key


def test_the_exchange_that_we_started_is_remembered(tmp_path: Path) -> None:
    """A run that was killed leaves it running; the next run can still end it."""
    local = LocalState(tmp_path)
    assert local.exchange() is None

    local.write_exchange(EmbeddedExchange(pid=4711, port=3001))

    assert LocalState(tmp_path).exchange() == EmbeddedExchange(pid=4711, port=3001)
    local.clear_exchange()
    assert LocalState(tmp_path).exchange() is None


GOOD_DAY = {
    "utc_day": 20_000,
    "start_equity_usd": 10_000.0,
    "pnl_usd": -1.5,
    "peak_usd": 2.0,
    "position": -7,
    "mark_price": 1_000_000.0,
    "exch_ns": 20_000 * 86_400 * 10**9 + 5,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("utc_day", "-1"),
        ("utc_day", "1e999"),
        ("start_equity_usd", "1e999"),
        ("start_equity_usd", "-5e300"),
        ("pnl_usd", "-1e999"),
        ("peak_usd", "1e308"),
        ("peak_usd", "-0.1"),
        ("position", "9223372036854775807"),
        ("mark_price", "-1.0"),
        ("exch_ns", "9223372036854775807"),
        ("exch_ns", str(20_002 * 86_400 * 10**9)),  # after its own day
    ],
)
def test_figures_that_nobody_can_have_written_are_set_aside(
    state: StateDirectory, name: str, value: str
) -> None:
    """An infinite equity would switch the drawdown limit off, a late stamp hide every fill."""
    path = state.path / "day.json"
    path.write_text(json.dumps(GOOD_DAY))
    assert state.day(WALL_MS).value == DayFigures(**GOOD_DAY)

    text = json.dumps({**GOOD_DAY, name: "HERE"}).replace('"HERE"', value)
    path.write_text(text)
    kept = state.day(WALL_MS)

    assert kept.value is None
    assert kept.set_aside is not None
    assert kept.set_aside.read_text() == text


@pytest.mark.parametrize("nonce", [-1, WALL_MS + 2 * 86_400_000, 10**30])
def test_a_nonce_that_the_exchange_would_refuse_is_set_aside(
    state: StateDirectory, nonce: int
) -> None:
    """Every action would be refused until that day."""
    (state.path / "nonce.json").write_text(json.dumps({"nonce": nonce}))

    kept = state.nonce_high_water(WALL_MS)

    assert kept.value == 0
    assert kept.set_aside is not None


def test_a_process_that_is_no_process_is_not_ended(tmp_path: Path) -> None:
    """A signal to -1 goes to everybody."""
    local = LocalState(tmp_path)
    for pid in (-1, 0, 1):
        (local.path / "exchange.json").write_text(json.dumps({"pid": pid, "port": 3001}))

        assert local.exchange() is None


def test_texts_from_a_file_cannot_steer_a_terminal(state: StateDirectory) -> None:
    """Whoever is told why it was killed reads a text that somebody may have put there."""
    reason = "\x1b[31mhi\r\n\u202e" + "x" * 5_000
    (state.path / "kill.json").write_text(json.dumps({"reason": reason, "at_exch_ns": 1}))

    latch = state.latch()

    assert latch is not None
    assert latch.reason.isprintable()
    assert latch.reason.startswith("\\x1b[31mhi\\r\\n\\u202e")
    assert len(latch.reason) < 1_100
