"""What a running market maker shows of itself to other processes, in its state directory.

A plain dict of numbers and texts in the units that operators know, written once a second. What is
not known is null. It holds no key and decides nothing; `status` compares it with the exchange and
`top` draws it.
"""

import math
from typing import Any

from hypermm.engine import Explanation, Snapshot
from hypermm.instrument import Instrument


def view(
    snapshot: Snapshot,
    explanation: Explanation,
    instrument: Instrument,
    *,
    pid: int,
    session_secs: int,
    wall_ms: int,
) -> dict[str, Any]:
    """Return the picture of one moment.

    Parameters
    ----------
    snapshot : Snapshot
        The engine's.
    explanation : Explanation
        Of its last decision.
    instrument : Instrument
        The market.
    pid, session_secs, wall_ms : int
        Process, start of the session (seconds since 1970) and time of the picture (ms).
    """
    figures, estimates, counters = snapshot.ledger, snapshot.estimates, snapshot.counters
    shown = {
        "pid": pid,
        "session_secs": session_secs,
        "at_ms": wall_ms,
        "coin": instrument.coin,
        "mode": snapshot.mode.value,
        "is_connected": snapshot.is_connected,
        "kill_reason": snapshot.latch.reason if snapshot.latch else "",
        "position": instrument.print_size(snapshot.position),
        "position_limit": instrument.print_size(snapshot.position_limit),
        "leverage": snapshot.leverage,
        "day_pnl_usd": figures.day_pnl_usd,
        "session_pnl_usd": figures.session_pnl_usd,
        "fees_usd": figures.fees_usd,
        "traded_usd": figures.traded_usd,
        "drawdown_fraction": figures.drawdown_fraction,
        "fair_price": estimates.fair_price * instrument.price_unit_usd,
        "spread_bps": estimates.spread_bps,
        "volatility_bps": estimates.volatility,
        "kappa_per_bps": estimates.kappa_per_bps,
        "age_secs": estimates.age_secs,
        "buys": counters.buys,
        "sells": counters.sells,
        "orders_placed": counters.orders_placed,
        "orders_refused": counters.orders_refused,
        "disconnects": counters.disconnects,
        "warm_up": {
            "is_warm": snapshot.warm_up.is_warm,
            "trades": snapshot.warm_up.trades,
            "trades_needed": snapshot.warm_up.trades_needed,
            "volume_ticks": snapshot.warm_up.volume_ticks,
            "volume_ticks_needed": snapshot.warm_up.volume_ticks_needed,
            "secs_to_go": snapshot.warm_up.secs_to_go,
        },
        "explanation": explanation.as_dict(instrument),
        "orders": [
            {
                "cloid": f"{order.cloid:#034x}",
                "side": order.side.name.lower(),
                "price": instrument.print_price(order.price),
                "size": instrument.print_size(order.remaining),
                "state": order.state,
            }
            for order in snapshot.orders
        ],
    }
    known: dict[str, Any] = _known(shown)
    return known


def _known(value: Any) -> Any:
    """Replace what is no number by null, which JSON has a word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _known(one) for name, one in value.items()}
    return [_known(one) for one in value] if isinstance(value, list | tuple) else value
