"""The numbers that make one synthetic market; what they mean is told by `hypermm.sim.synthetic`."""

from collections.abc import Sequence

from attrs import frozen

from hypermm.instrument import Instrument


@frozen(kw_only=True)
class Preset:
    """Numbers of one synthetic market. Tables hold equally probable values, smallest first.

    Parameters
    ----------
    start_price : int
        In price units; the tick is the exchange's step there.
    quotes_per_sec, frame_secs : float
        Changes of the touch, and seconds between book frames.
    hawkes_base_per_sec, hawkes_decay_per_sec : float
        Base rate of one side without news, and decay of the excitation.
    hawkes_self, hawkes_cross : float
        Expected children of one trade on its own side and on the other.
    news_per_sec, news_ticks : float
        Rate and mean absolute size (two-sided, Erlang of order 2) of moves of the efficient price.
    lag_secs : float
        Time in which the quotes make up for a gap to the efficient price, at even speed.
    informed_reach : float
        Mean share of the way to the efficient price that a trade then sweeps.
    deep_share : float
        Probability that a trade sweeps beyond a touch that is not behind.
    deep_reach_ticks : table of float
        How far.
    deep_impact_ticks : float
        Move of the efficient price after a deep trade of one tick; it grows with the
        power `IMPACT_POWER` of the reach.
    sweep_size_order : float
        Share of sweeps whose size has the rank of their reach.
    impact_ticks : float
        Move of the efficient price in the direction of each trade.
    touch_sizes_lots, sweep_sizes_lots : table of float
        Sizes of trades that stop at the touch and of those that go beyond.
    touch_fills, sweep_fills : table of float
        Fills of one trade, in the order of its size.
    calm_spreads_ticks, moving_spreads_ticks : table of float
        Spreads where the mid stands and where it has just moved.
    spread_redraw : float
        Probability that a change of the touch draws a new spread though the mid need not move.
    quote_sizes_lots : table of float
        Sizes at the touch.
    quote_memory, quote_fresh : float
        Autocorrelation of the normal score of a size at the touch from change to change, and
        mean score of one that has just become the touch.
    level_occupancy : table of float
        Probability of an order at each distance behind the touch, in ticks from 1.
    level_sizes_lots : sequence of tables
        Sizes at the distances of `level_class`.
    level_class : sequence of int
        Which table serves each distance.
    level_keeps, level_memory, level_vanishes : float
        From frame to frame: share of levels that stay as they are, autocorrelation of the normal
        score of those that do not, share that is drawn anew.
    """

    coin: str
    size_decimals: int
    start_price: int
    max_leverage: int
    quotes_per_sec: float
    frame_secs: float
    hawkes_base_per_sec: float
    hawkes_self: float
    hawkes_cross: float
    hawkes_decay_per_sec: float
    news_per_sec: float
    news_ticks: float
    lag_secs: float
    informed_reach: float
    deep_share: float
    deep_reach_ticks: Sequence[float]
    deep_impact_ticks: float
    sweep_size_order: float
    impact_ticks: float
    touch_sizes_lots: Sequence[float]
    sweep_sizes_lots: Sequence[float]
    touch_fills: Sequence[float]
    sweep_fills: Sequence[float]
    calm_spreads_ticks: Sequence[float]
    moving_spreads_ticks: Sequence[float]
    spread_redraw: float
    quote_sizes_lots: Sequence[float]
    quote_memory: float
    quote_fresh: float
    level_occupancy: Sequence[float]
    level_sizes_lots: Sequence[Sequence[float]]
    level_class: Sequence[int]
    level_keeps: float
    level_memory: float
    level_vanishes: float
    volume_lots_per_sec: float
    dex: str = ""
    is_isolated_only: bool = False

    def instrument(self, asset_id: int) -> Instrument:
        """Return the market's rules at a place of the universe."""
        return Instrument(
            coin=self.coin,
            asset_id=asset_id,
            size_decimals=self.size_decimals,
            max_leverage=self.max_leverage,
            is_isolated_only=self.is_isolated_only,
            dex=self.dex,
        )
