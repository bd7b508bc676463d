"""Outside markets that the simulated exchange plays: recorded ones, and a door to synthetic ones.

A market knows nothing of our orders and has no clock: it hands out what happened in the outside
world up to a time that the caller names. Its own time starts at 0 with the first book.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from attrs import evolve

from hypermm._core.rows import EMPTY, LEVEL, SNAPSHOT, TRADE, Rows
from hypermm.errors import ConfigError
from hypermm.instrument import Instrument
from hypermm.recordings import Recording, describe_dropped, open_recordings

SYNTHETIC: Final = "synthetic"
DAY_SECS: Final = 86_400
NS_PER_SEC: Final = 1_000_000_000
THIN_DEX: Final = "xyz"
SNAPSHOT_TRADES: Final = 30  # what the exchange re-sends on subscribing
_TRADE_ID_BITS: Final = 50


class Market(Protocol):
    """The outside world of one coin."""

    @property
    def instrument(self) -> Instrument:
        """Rules of the market."""

    @property
    def snapshot_trades(self) -> Rows:
        """The trades just before the start, oldest first, with stamps <= 0 and SNAPSHOT flags."""

    @property
    def is_over(self) -> bool:
        """Whether no event is left."""

    @property
    def day_volume_lots(self) -> int:
        """Lots traded in 24 hours, as far as the market can tell."""

    def rows_until(self, t_ns: int) -> Rows:
        """Return the events with market time in (previous t_ns, t_ns], in order.

        `exch_ns` is the time since the market's start, where the first book stands (so the first
        call includes time 0). The window must not be written to, and stays valid.
        """


class SilentMarket:
    """A market in which nothing ever happens."""

    snapshot_trades = EMPTY
    is_over = True
    day_volume_lots = 0

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument

    def rows_until(self, _t_ns: int) -> Rows:
        """Return no events."""
        return EMPTY


class RecordedMarket:
    """A recording, played from its first book on; in a loop, times go on and ids stay unique.

    Parameters
    ----------
    recording : Recording
        What to play. Trades with the SNAPSHOT flag are not played: those before the start are
        `snapshot_trades`, those that filled a gap of the recording are left out.
    loop : bool
        Whether to begin again at the end. The price then jumps back to where it began.
    """

    def __init__(self, recording: Recording, *, loop: bool = False) -> None:
        whole = recording.rows.array
        is_known = whole["flags"] & SNAPSHOT > 0
        array = whole[~is_known]
        array["exch_ns"] -= recording.start_ns
        before_array = whole[is_known & (whole["exch_ns"] < recording.start_ns)][-SNAPSHOT_TRADES:]
        before_array["exch_ns"] -= recording.start_ns
        before = Rows(before_array)
        self.recording = recording
        self.instrument = recording.instrument
        self.snapshot_trades = before
        self._first_pass = array
        self._rows = Rows(array)
        self._stamps = np.ascontiguousarray(array["exch_ns"])
        self._position = 0
        self._passes = 0
        self._is_loop = loop
        pauses = np.diff(np.unique(self._stamps[array["kind"] == LEVEL]))
        pause_ns = int(np.median(pauses)) if len(pauses) else NS_PER_SEC
        self._period_ns = int(self._stamps[-1]) + max(pause_ns, 1)
        is_trade = array["kind"] == TRADE
        traded = int(array["size"][is_trade].sum())
        self.day_volume_lots = traded * DAY_SECS * NS_PER_SEC // self._period_ns

    @property
    def is_over(self) -> bool:
        """Whether the recording has been played to its end (never in a loop)."""
        return not self._is_loop and self._position == len(self._stamps)

    def rows_until(self, t_ns: int) -> Rows:
        """Return the events up to `t_ns`; see `Market.rows_until`."""
        windows = [self._take(t_ns)]
        while self._is_loop and self._position == len(self._stamps):
            self._begin_again()
            windows.append(self._take(t_ns))
        return join(windows)

    def _take(self, t_ns: int) -> Rows:
        start = self._position
        stop = int(np.searchsorted(self._stamps, t_ns, side="right"))
        self._position = max(start, stop)
        return self._rows.window(start, self._position)

    def _begin_again(self) -> None:
        self._passes += 1
        array = self._first_pass.copy()
        array["exch_ns"] += self._passes * self._period_ns
        # The exchange's ids have 50 bits: the pass goes above them.
        array["id"][array["kind"] == TRADE] += self._passes << _TRADE_ID_BITS
        self._rows = Rows(array)
        self._stamps = np.ascontiguousarray(array["exch_ns"])
        self._position = 0


def join(windows: list[Rows]) -> Rows:
    """Return one window with all rows; copies only if more than one window has any."""
    filled = [window for window in windows if len(window)]
    if not filled:
        return EMPTY
    if len(filled) == 1:
        return filled[0]
    return Rows(np.concatenate([window.array for window in filled]))


def open_market(
    spec: str,
    seed: int = 0,
    loop: bool = False,
    announce: Callable[[str], None] = lambda _: None,
) -> list[Market]:
    """Open the markets that a command line names.

    Parameters
    ----------
    spec : str
        `synthetic` (BTC and WLFI), `synthetic:COIN`, `synthetic:REGIME` (of BTC; the thin one is
        a builder's market), `synthetic:COIN:REGIME`, or the path of a recording.
    seed : int
        Seed of synthetic markets; recordings do not use it.
    loop : bool
        Whether recordings begin again at their end.
    announce : function of a line, optional
        Told what was left out of a recording, a line for each coin.

    Raises
    ------
    RecordingError
        If a recording cannot be read.
    ConfigError
        If there is no preset of that name.
    """
    name, _, rest = spec.partition(":")
    if name == SYNTHETIC:
        return _synthetic(rest, seed)
    recordings = open_recordings(Path(spec))
    for recording in recordings.values():
        dropped = describe_dropped(recording)
        if dropped is not None:
            announce(dropped)
    return [RecordedMarket(recording, loop=loop) for recording in recordings.values()]


def _synthetic(rest: str, seed: int) -> list[Market]:
    # Here, because all three build on this file.
    from hypermm.sim.presets import PRESETS
    from hypermm.sim.regimes import AS_FITTED, REGIMES, thin_preset
    from hypermm.sim.synthetic import SyntheticMarket

    coin, _, regime = rest.partition(":")
    if coin in REGIMES and not regime:
        coin, regime = "", coin
    if (coin and coin not in PRESETS) or (regime and regime not in REGIMES):
        raise ConfigError(
            f"no synthetic market {rest[:40]!r}",
            hint=f"synthetic:COIN:REGIME with {', '.join(PRESETS)} and {', '.join(REGIMES)}",
        )
    if not regime:
        chosen = [preset for name, preset in PRESETS.items() if coin in ("", name)]
        return [SyntheticMarket(preset, seed, i) for i, preset in enumerate(chosen)]
    preset = PRESETS[coin or "BTC"]
    if regime == "thin" and not coin:
        preset = thin_preset(THIN_DEX)
    return [SyntheticMarket(preset, seed, 0, REGIMES.get(regime, AS_FITTED))]


def builder_markets(dex: str, seed: int = 0) -> list[Market]:
    """Return the markets of a builder's dex: a thin one, and one that is named as the exchange's.

    Raises
    ------
    ConfigError
        If the name is not of 2 to 4 lower-case characters.
    """
    # Here, because both build on this file.
    from hypermm.sim.presets import PRESETS
    from hypermm.sim.regimes import REGIMES, thin_preset
    from hypermm.sim.synthetic import SyntheticMarket

    if not re.fullmatch(r"[a-z0-9]{2,4}", dex):
        raise ConfigError(f"--dex = {dex[:40]!r} is not a name of 2 to 4 lower-case characters")
    same = evolve(PRESETS["BTC"], coin=f"{dex}:BTC", dex=dex, is_isolated_only=True)
    thin = SyntheticMarket(thin_preset(dex), seed, 0, REGIMES["thin"])
    return [thin, SyntheticMarket(same, seed, 1)]


def open_markets(
    specs: Sequence[str],
    dexs: Sequence[str] = (),
    seed: int = 0,
    loop: bool = False,
    announce: Callable[[str], None] = lambda _: None,
) -> list[Market]:
    """Open the markets of several specs, and those of builders' dexs.

    Raises
    ------
    ConfigError
        If a coin comes twice, or a spec or a dex is not known.
    """
    markets = [market for spec in specs for market in open_market(spec, seed, loop, announce)]
    markets += [market for dex in dexs for market in builder_markets(dex, seed)]
    coins = [market.instrument.coin for market in markets]
    for coin in coins:
        if coins.count(coin) > 1:
            raise ConfigError(f"{coin!r} is listed twice", hint="one --market or --dex for each")
    return markets
