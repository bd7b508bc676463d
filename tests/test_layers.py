"""Settings from defaults, file, environment and command line: which wins, and that it is said."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hypermm import cli, layers
from hypermm.config import Config, settings
from hypermm.consequences import TypicalMarket, consequences
from hypermm.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
KEY = "0x" + "c0ffee11" * 8


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """No configuration file of somebody else is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYPERLIQUID_PRIVATE_KEY", raising=False)


def test_each_place_stands_over_the_one_before_it(tmp_path):
    """File under environment under command line, and each value says where it comes from."""
    path = tmp_path / "m.toml"
    path.write_text("[trading]\nrisk_aversion = 0.5\nmax_bps_diff = 1\nasset = 'ETH'\n")
    environ = {"HYPERMM_TRADING_MAX_BPS_DIFF": "2", "HYPERMM_TRADING_ASSET": "SOL"}

    found = layers.load(path, environ, {"trading.asset": ("--asset", "HYPE")})

    trading = found.config.trading
    assert (trading.risk_aversion, trading.max_bps_diff, trading.asset) == (0.5, 2.0, "HYPE")
    assert found.sources["trading.risk_aversion"] == str(path)
    assert found.sources["trading.max_bps_diff"] == "HYPERMM_TRADING_MAX_BPS_DIFF"
    assert found.sources["trading.asset"] == "--asset"
    assert found.sources["trading.leverage"] == "default"


@pytest.mark.parametrize(("dotted", "attribute"), list(settings()))
def test_every_setting_has_a_variable(dotted, attribute):
    """The environment sets it whatever its type; a text that it cannot take is refused by name."""
    other = {
        "network.base_url": "localhost",
        "trading.asset": "ETH",
        "trading.dex": "hyna",
        "strategy.flat_by_utc": "21:55",
    }
    words = attribute.metadata["range"].split(", ")
    text = other.get(dotted) or {
        bool: str(not attribute.default).lower(),
        str: words[0] if words[0] != attribute.default else words[-1],
    }.get(attribute.type, "nonsense")
    if dotted == "monitoring.metrics_host":
        text = "127.0.0.9"
    environ = {layers.variable(dotted): text}

    if text == "nonsense" and not attribute.metadata.get("secret"):
        with pytest.raises(ConfigError, match=attribute.name):
            layers.load(None, environ, {})
        number = attribute.default or 3
        environ = {layers.variable(dotted): f"{number}"}
    found = layers.load(None, environ, {})

    assert found.sources[dotted] == layers.variable(dotted)
    if text != "nonsense":
        assert found.config != Config()


def test_a_variable_that_is_no_setting_is_refused_with_the_nearest():
    """A typing error in the environment is as bad as one in the file."""
    with pytest.raises(ConfigError, match="did you mean HYPERMM_TRADING_RISK_AVERSION"):
        layers.load(None, {"HYPERMM_TRADING_RISK_AVERSON": "1"}, {})


def test_validate_config_shows_values_places_and_consequences_but_no_key(tmp_path, capsys):
    """What would run, why, and what follows; a secret is only said to be set."""
    path = tmp_path / "m.toml"
    path.write_text(f"[network]\nprivate_key = '{KEY}'\n[risk]\nmax_daily_loss_usd = 250\n")

    assert cli.main(["validate-config", "-c", str(path), "--json", "--leverage", "5"]) == 0
    shown = capsys.readouterr().out
    found = json.loads(shown)

    assert found["settings"]["trading.leverage"] == {"value": 5, "source": "--leverage"}
    assert found["settings"]["risk.max_daily_loss_usd"] == {"value": 250.0, "source": str(path)}
    assert found["settings"]["network.private_key"]["value"] == f"set ({path})"
    assert "kill at 250.00 USD" in found["consequences"]["daily loss"]
    assert "5x" in found["consequences"]["margin"]
    assert cli.main(["validate-config", "-c", str(path)]) == 0
    assert KEY[2:] not in shown + capsys.readouterr().out


def sentence(subject: str, **trading: float) -> str:
    return dict(consequences(_config(**trading)))[subject]


def _config(**trading: float) -> Config:
    options = {f"trading.{name}": (name, value) for name, value in trading.items()}
    return layers.load(None, {}, options).config


def test_consequences_follow_the_settings():
    """A wider spread, fewer messages, less margin: each for the setting that asks for it."""

    def nearest(risk_aversion: float) -> float:
        text = sentence("quotes", risk_aversion=risk_aversion)
        return float(text.split("nearest ")[1].split(" bps")[0])

    assert nearest(1.0) > nearest(0.5)
    liquid = dict(consequences(Config(), TypicalMarket(kappa_per_bps=1.0)))["quotes"]
    assert "min_depth_bps = 5 binds" in liquid
    assert sentence("messages", max_bps_diff=1.0) != sentence("messages", max_bps_diff=10.0)
    calm = dict(consequences(Config(), TypicalMarket(volatility=0.5)))["messages"]
    assert calm != sentence("messages")
    assert "500.00 USD" in sentence("margin", leverage=10)


def test_help_loads_nothing_heavy():
    """A newcomer's first command answers at once: within a few times a bare interpreter's start."""
    code = (
        "import sys; from hypermm.cli.main import parser; parser().format_help(); "
        "print([n for n in ('numpy', 'aiohttp', 'attr', 'tomlkit', 'rich') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
