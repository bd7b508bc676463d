"""A strategy of the operator's own: found by import path, limited like every other."""

import sys
from pathlib import Path

import pytest

from hypermm._core.rows import Rows
from hypermm.backtesting import backtest
from hypermm.cli.main import main
from hypermm.config import load
from hypermm.engine import Unquoted
from hypermm.errors import ConfigError
from hypermm.gate import Gate
from hypermm.messages import PlaceOrders
from hypermm.quoting import Strategy, Term, strategy_class
from tests.scenario import BTC, MID, Scenario, add_context, placed, settings

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def _in_the_examples(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    sys.modules.pop("own_strategy", None)


def test_the_example_trades_and_holds_back():
    """It quotes a ladder; beyond half the limit nothing is bought."""
    config = load(EXAMPLES / "own_strategy.toml")

    result = backtest("synthetic", config, duration_secs=120.0)

    assert result.two_sided_fraction > 0.9
    long = Scenario(config, position=4_000).quote()
    bids, asks = long.engine.explain().sides
    assert bids.reason is Unquoted.POSITION_LIMIT
    assert asks.reason is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("momentum", "none of symmetric"),
        ("no_such_module:Mine", "no_such_module cannot be imported: ModuleNotFoundError"),
        ("own_strategy:Mine", "has no Mine"),
        ("own_strategy:math", "is no subclass"),
        ("hypermm.quoting:Strategy", "has no depths"),
    ],
)
def test_what_is_no_strategy_is_said(name, words):
    """The message names the module, the class and what is missing."""
    with pytest.raises(ConfigError, match=words):
        strategy_class(name)


def test_validate_config_looks_for_the_class(tmp_path, capsys):
    """A file that names what is not there is not valid: status 2, before anything starts."""
    path = tmp_path / "mm.toml"
    for name, status in (("own_strategy:HeldBack", 0), ("own_strategy:Gone", 2)):
        path.write_text(f'[strategy]\nstrategy_type = "{name}"\n')
        assert main(["validate-config", "-c", str(path)]) == status
    assert "has no Gone" in capsys.readouterr().err


class Wild(Strategy):
    """What a defect or a bad parameter might want: every price and size at once."""

    name = "wild"
    turn = 0

    def depths(self):
        return self.solver.bid_depth_bps(0.0), self.solver.ask_depth_bps(0.0)

    def quote(self, view, *args, **kwargs):
        ladder = super().quote(view, *args, **kwargs)
        Wild.turn += 1
        price = int(view.fair_price)
        ladder.clear()
        ladder.set_market(view.best_bid, view.best_ask)
        size = 10**7 if Wild.turn % 3 else 300
        far = (1, 30, 300, 800, 3_000)[Wild.turn % 5]
        ladder.append(1, price // 10 * 10 - price * far // 10_000 // 10 * 10 - 10, size)
        ladder.append(-1, price // 10 * 10 + price * far // 10_000 // 10 * 10 + 10, size)
        return ladder


def test_rk01_rk02_rk08_a_wild_strategy_stays_inside_every_limit():
    """Prices from the touch to 30 % away, a hundred times the size, anew at every step."""
    config = settings(strategy__strategy_type="tests.test_own_strategy:Wild")
    gate = Gate(config.risk, BTC)
    rows = Rows.allocate(3)
    add_context(rows, MID)
    gate.observe(rows)
    world = Scenario(config)
    world.connect()
    world.run(1.0)
    world.warm()
    world.run(30.0)

    assert Term.OWN in world.engine.explain().sides[0].levels[0].terms
    orders = placed(world.sent)
    assert orders, "it quotes at all"
    for order in orders:
        assert BTC.notional_usd(order.price, order.size) <= config.risk.max_order_notional_usd
        assert abs(order.price / MID - 1) * 1e4 <= config.risk.price_collar_bps
    position_limit = world.engine.snapshot().position_limit
    assert world.engine.snapshot().bid_exposure <= position_limit
    actions = [action for action in world.sent if isinstance(action, PlaceOrders)]
    allowed, denied = gate.check(actions, world.now_ns)
    assert len(allowed) <= config.risk.max_actions_per_minute
    assert all("in the last minute" in one.reason for one in denied)
