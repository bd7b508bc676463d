"""Commands parse strictly, say what is wrong in one line, and never echo a key."""

import subprocess

import pytest

from hypermm import cli
from hypermm.cli import options
from hypermm.cli.main import ALONE, WITH_SETTINGS, parser
from hypermm.config import Config, load

KEY = "0x" + "c0ffee11" * 8


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """No configuration file or `.env` of somebody else is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYPERLIQUID_PRIVATE_KEY", raising=False)


def status_of(*arguments: str) -> int:
    """The exit status, whether a command returns it or the parser leaves with it."""
    try:
        return cli.main(arguments)
    except SystemExit as left:
        return int(left.code or 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--asset", "ETH", "--risk-aversion", "0.5", "validate-config"),
        ("validate-config", "--asset", "ETH", "--risk-aversion", "0.5"),
        ("--asset", "ETH", "validate-config", "--risk-aversion", "0.5"),
    ],
)
def test_options_stand_before_or_after_the_command(arguments, capsys):
    """Operators write them in both places."""
    assert status_of(*arguments) == 0
    assert "valid (ETH on testnet)" in capsys.readouterr().out


@pytest.mark.parametrize(("option", "path"), [(o, p) for o, p, _, _ in options.SETTINGS])
def test_every_option_sets_its_setting(option, path, capsys):
    """An option that changes nothing is a lie."""
    value = {
        "--asset": "ETH",
        "--network": "localhost",
        "--log-level": "debug",
        "--log-format": "json",
        "--decimals": "2",
        "--leverage": "7",
        "--metrics-port": "9191",
    }.get(option, "0.25")

    settings, _ = options.load_config(parser().parse_args([option, value]))

    section, key = path.split(".")
    assert str(getattr(getattr(settings, section), key)) == value
    assert settings != Config()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--privatekey", KEY),
        (KEY,),
        ("run", KEY),
        ("exchange", "--fund", KEY),
        ("--leverage", KEY),
        ("--duration", KEY),
        ("--network", KEY),
        ("--network", KEY[2:]),
        ("--asset", KEY),
        ("--log-level", KEY),
        ("--log-level", KEY[2:]),
        ("-c", KEY),
        ("exchange", "--market", KEY),
        ("backtest", KEY),
    ],
)
def test_a_mistyped_option_never_echoes_a_key(arguments, capsys):
    """A key pasted in the wrong place must not land in a terminal's log."""
    assert status_of(*arguments) == 2
    shown = capsys.readouterr()
    assert KEY[2:34] not in shown.out + shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    "line",
    [
        f"[trading]\nasset = '{KEY}'",
        f"[trading]\ntarget_liquidity = '{KEY[2:]}'",
        f"[trading]\nleverage = {KEY}",
        f"[trading]\n{KEY} = 1",
        f"[{KEY[2:]}]\nx = 1",
        f"network = '{KEY}'",
        f"[logging]\nlevel = '{KEY[2:]}'",
        f"[network]\nbase_url = '{KEY}'",
        f"[network]\nprivate_key = ['{KEY}']",
        f"{KEY}",
    ],
)
def test_a_key_in_the_wrong_place_of_a_file_is_not_echoed(line, tmp_path, capsys):
    """Neither as hex nor in decimal digits."""
    (tmp_path / "market_maker.toml").write_text(line + "\n")

    assert status_of("validate-config") == 2
    shown = capsys.readouterr()
    text = (shown.out + shown.err).lower()
    assert KEY[2:34] not in text
    assert str(int(KEY, 16))[:30] not in text
    assert "traceback" not in text


@pytest.mark.parametrize(
    ("text", "secs"), [("60", 60.0), ("60s", 60.0), ("10m", 600.0), ("1.5h", 5400.0)]
)
def test_durations_are_read_with_their_unit(text, secs):
    """Seconds without a unit."""
    assert options.duration_secs(text) == secs


@pytest.mark.parametrize(
    "arguments",
    [
        ("--duration", "soon"),
        ("exchange", "--seed", "-1"),
        ("exchange", "--seed", "9" * 40),
        ("exchange", "--fund", "0xabc=5"),
        ("exchange", "--fund", "0x" + "a" * 40 + "=" + "9" * 400),
        ("exchange", "--fund", f"0x{'a' * 40}=1", "--fund", f"0x{'A' * 40}=2"),
        ("exchange", "--port", "70000"),
        ("exchange", "--speed", "-1"),
        ("exchange", "--block-ms", "0"),
        ("exchange", "--start-ms", "5"),
        ("exchange", "--latency-ms", "fast"),
        ("exchange", "--latency-ms", "200/100"),
        ("exchange", "--limit", "posts"),
        ("exchange", "--limit", "posts=-1"),
        ("exchange", "--limit", "nonsense=off"),
        ("exchange", "--limit", "nonces=0"),
        ("exchange", "--limit", "posts=1", "--limit", "posts=2"),
        ("exchange", "--fault", "explode"),
        ("exchange", "--fault", "halt:coin=DOGE"),
        ("exchange", "--rule", "nonsense=1"),
        ("exchange", "--dex", "toolong"),
        ("exchange", "--market", "synthetic:stormy"),
        ("exchange", "--market", "synthetic", "--market", "synthetic:BTC"),
        ("exchange", "--speed", "nan"),
        ("exchange", "--market", "nonsense"),
        ("backtest", "nonsense"),
        ("backtest", "--asset", "NOPE"),
        ("calibrate", "nonsense"),
        ("--as", "BTC"),
        ("quote",),
    ],
)
def test_a_mistake_is_one_clear_message_and_status_2(arguments, capsys):
    """No traceback for an operator's mistake."""
    assert status_of(*arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("hypermm: ")
    assert "Traceback" not in shown


def test_a_file_is_written_once_and_over_with_force(tmp_path, capsys):
    """An operator's settings are not lost by a second call."""
    file = tmp_path / "market_maker.toml"

    assert status_of("generate-config") == 0
    assert load(file) == Config()
    file.write_text("# mine\n")
    assert status_of("generate-config") == 2
    assert file.read_text() == "# mine\n"
    assert status_of("generate-config", "--force") == 0
    assert load(file) == Config()


def test_without_a_key_the_three_ways_are_named(capsys):
    """And the command that needs none."""
    assert status_of() == 2
    shown = capsys.readouterr().err
    assert "Private key not set" in shown
    for way in ("HYPERLIQUID_PRIVATE_KEY", ".env", "private_key", "--network localhost"):
        assert way in shown


def test_a_key_on_the_command_line_needs_consent_on_mainnet(capsys):
    """Others can see it in the list of processes."""
    assert status_of("--network", "mainnet", "--private-key", KEY) == 2
    shown = capsys.readouterr()
    assert "--accept-key-risk" in shown.err
    assert KEY[2:] not in shown.out + shown.err


def test_a_backtest_prints_its_figures(capsys):
    """The same engine, in virtual time, from the command line."""
    assert status_of("backtest", "--asset", "WLFI", "--duration", "60s", "--seed", "3") == 0
    shown = capsys.readouterr().out
    assert "digest" in shown
    assert "refused       none" in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_option(shell, capsys):
    """It is made from the parser, and the shell itself accepts it."""
    assert status_of("completion", shell) == 0
    script = capsys.readouterr().out

    words = set({**WITH_SETTINGS, **ALONE}) | {"risk-aversion", "fund", "checkpoint"}
    assert [word for word in words if word not in script] == []
    if shell == "bash":
        asked = (
            f"{script}\nCOMP_WORDS=(hypermm run --risk); COMP_CWORD=2; _hypermm; "
            'echo "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["--risk-aversion"]
