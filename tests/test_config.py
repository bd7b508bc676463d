"""Configuration is strict, complete in its errors, and never shows a key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm import config
from hypermm.errors import ConfigError

NUMBERS = [
    (path, attribute)
    for path, attribute in config.settings()
    if " to " in attribute.metadata["range"]
]


def load_text(tmp_path: Path, text: str) -> config.Config:
    file = tmp_path / "market_maker.toml"
    file.write_text(text)
    return config.load(file)


def test_the_generated_file_loads_to_the_defaults(tmp_path):
    """What `generate-config` writes is what no file at all means."""
    loaded = load_text(tmp_path, config.generate())

    assert loaded == config.Config()


def test_every_setting_says_its_range_and_effect():
    """The file, the reference page and the errors are written from these."""
    for path, attribute in config.settings():
        assert attribute.metadata["doc"].endswith("."), path
        assert attribute.metadata["range"], path


def test_all_findings_come_at_once_with_their_lines(tmp_path):
    """An operator mends a file in one pass."""
    text = (
        "[trading]\nassett = 'X'\nrisk_aversion = nan\nmax_bps_diff = 'a'\n"
        "[strategy.ladder_config]\nmin_depth_bps = 60\n[risk]\nstale_kill_secs = 0.8\n"
    )

    with pytest.raises(ConfigError) as error:
        load_text(tmp_path, text)

    message = str(error.value)
    assert "line 2: trading.assett: unknown key; did you mean trading.asset?" in message
    assert "line 3: trading.risk_aversion = nan is not a finite number" in message
    assert "line 4: trading.max_bps_diff = 'a' is not a number" in message
    assert "line 6: strategy.ladder_config.max_depth_bps = 50.0 bps must be above" in message
    assert "line 8: risk.stale_kill_secs = 0.8 is outside its range: 1 to 7200 s" in message
    assert "5 settings not usable" in message


@pytest.mark.parametrize(("path", "attribute"), NUMBERS, ids=[path for path, _ in NUMBERS])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 1e300, True, "1", [1]])
def test_no_number_takes_nonsense(path, attribute, value):
    """Every number has a hard floor and ceiling, and its own type."""
    with pytest.raises(ConfigError, match=path.rsplit(".", maxsplit=1)[-1]):
        config.load(None, {path: value})


def test_two_values_that_fit_together_are_taken_in_any_order(tmp_path):
    """A value is judged against its partner in the file, not against the partner's default."""
    loaded = load_text(
        tmp_path, "[strategy.ladder_config]\nmin_depth_bps = 60\nmax_depth_bps = 100\n"
    )

    assert loaded.strategy.ladder_config.min_depth_bps == 60.0


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[trading\n", "not valid TOML"),
        (b"trading = 5\n", r"\[trading\] must be a table"),
        (b"x" * (config.MAX_FILE_BYTES + 1), "larger than"),
        (b"[network]\nbase_url = 'tesnet'\n", "base_url = 'tesnet' is not mainnet"),
        (b"[strategy]\nstrategy_type = 'lader'\n", "did you mean 'ladder'"),
        (
            b"[trading]\ntarget_liquidity = 2\nmax_absolute_position_size = 1\n",
            "smaller than one order",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(tmp_path, raw, expected):
    """No traceback for an operator's mistake."""
    file = tmp_path / "market_maker.toml"
    file.write_bytes(raw)

    with pytest.raises(ConfigError, match=expected):
        config.load(file)


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    """The message says which file and what to do."""
    with pytest.raises(ConfigError, match="Config file not found"):
        config.load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path)


def test_byte_order_mark_and_windows_line_ends_are_taken(tmp_path):
    """Editors leave them; they say nothing."""
    file = tmp_path / "market_maker.toml"
    file.write_bytes(b"\xef\xbb\xbf[trading]\r\nasset = 'ETH'\r\n")

    assert config.load(file).trading.asset == "ETH"


@given(st.integers() | st.floats() | st.lists(st.integers()))
def test_a_key_never_shows_in_an_error_or_a_repr(value):
    """A key of the wrong type must not be echoed."""
    with pytest.raises(ConfigError) as error:
        config.load(None, {"network.private_key": value})

    assert str(error.value).endswith("network.private_key = set is not a text in quotes")


def test_the_key_is_in_no_repr():
    """Configurations are printed and logged."""
    loaded = config.load(None, {"network.private_key": "ab" * 32})

    assert "abab" not in repr(loaded)


def test_overrides_stand_over_the_file(tmp_path):
    """Precedence: file, then command line."""
    file = tmp_path / "market_maker.toml"
    file.write_text("[trading]\nasset = 'ETH'\nrisk_aversion = 0.5\n")

    loaded = config.load(file, {"trading.asset": "SOL"})

    assert (loaded.trading.asset, loaded.trading.risk_aversion) == ("SOL", 0.5)


def test_the_reference_page_is_fresh():
    """The page is written from the declarations: `python -c 'from hypermm import config; ...'`."""
    page = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"

    assert page.read_text() == config.reference(), "write config.reference() to the page again"
