"""What must hold in the fault world, judged by the simulator's truth, not the engine's belief.

The names are those of the table of invariants in the documentation. A breach raises
`BrokenInvariantError` with
the seed and the command that brings it back.
"""

from collections import Counter

from hypermm._core.rows import CONTEXT, LEVEL, MARK, ORACLE, QUOTE
from hypermm.engine import Mode
from hypermm.messages import CancelOids, CancelOrders, PlaceOrders, Side, Tif
from hypermm.sim.faults import INSTRUMENT, FaultWorld

TEST = "test_no_mixture_of_faults_breaks_an_invariant"
FAULT_TICKS = 1_000
HEALED_TICKS = 300
BACK_WITHIN_TICKS = 100  # I-24: 10 s
WARM_WITHIN_TICKS = 150  # on top of it, after a restart
KILLED_WITHIN_TICKS = 50  # I-08: 5 s after the last fault's end
SIDE_PAUSE_TICKS = 102  # 10 s after ten fills on one side, and the placing
LIVE_ORDERS_MAX = 64  # I-22
UNDER_WAY_MAX = 200  # I-22
# What the engine cannot see of an age: one block, and the least latency of all.
STAMP_SLACK_SECS = 0.25
FORBIDDEN_REFUSALS = (  # I-05, I-09, I-10: what a sound order never meets
    "tick",
    "invalid",
    "minimum value",
    "zero size",
    "Too many cumulative",
    "nonce",
    "does not exist",
)
SYNCED_MODES = tuple(mode for mode in Mode if mode is not Mode.SYNCING)
PLACING_MODES = (Mode.QUOTING, Mode.REDUCING)


class BrokenInvariantError(AssertionError):
    """An invariant does not hold."""


class Invariants:
    """Checks a world while it runs; `counts` says how often each thing happened at all."""

    def __init__(self):
        self.counts = Counter()
        self.session = 0
        self.nonce = 0
        self.strangers_lots = 0  # traded on the account by somebody else, either way
        self.remaining = {}  # cloid -> lots, of this session's live orders
        self.gone = set()  # cloids that left the table
        self.was_two_sided_tick = None

    def fail(self, world, name, claim):
        raise BrokenInvariantError(
            f"{name}, seed {world.seed}, tick {world.ticks}: {claim}\n"
            f'  python -m pytest "tests/test_faults.py::{TEST}[{world.seed}]"'
        )

    def begin_session(self, world):
        """Forget what only the former engine knew."""
        self.session = world.sessions
        self.stamp_ns = 0
        self.touch_ns = 0
        self.touch = {1: 0, -1: 0}  # prices; 0: the side is empty
        self.context = {MARK: 0.0, ORACLE: 0.0}
        self.remaining = {}
        self.gone = set()

    # After every step

    def after_step(self, world, batch, sent):
        if world.sessions != self.session:
            self.begin_session(world)
        if len(batch.rows):
            self.see(batch.rows.array)
        for action in sent:
            match action:
                case PlaceOrders():
                    self.counts["placed"] += len(action.orders)
                    self.check_placement(world, action)
                case CancelOids(oids=oids):
                    touched = set(oids) & set(world.stranger_oids)
                    if touched:
                        self.fail(world, "I-18", f"the stranger's orders {touched} are cancelled")
                case CancelOrders(cloids=cloids):
                    self.counts["cancelled"] += len(cloids)
        if sent:
            self.check_nonces(world)
            self.check_exposure(world)

    def see(self, array):
        """Note what market data the engine was shown."""
        self.stamp_ns = max(self.stamp_ns, int(array["exch_ns"].max()))
        frame = None
        for stamp, price, size, _, _, kind, side, index, _ in array.tolist():
            if kind == CONTEXT:
                if index in self.context:
                    self.context[index] = price * 1e-12 * 10.0**INSTRUMENT.price_decimals
            elif kind in (QUOTE, LEVEL) and stamp >= self.touch_ns:
                if frame != (stamp, kind):
                    frame, self.touch_ns, self.touch = (stamp, kind), stamp, {1: 0, -1: 0}
                if size and index == 0:
                    self.touch[side] = price

    def check_placement(self, world, action):
        limits = world.config.risk
        mode = world.engine.mode
        if mode not in PLACING_MODES:
            self.fail(world, "I-07", f"placed while {mode.name}")
        age_secs = world.link.wall_ms / 1e3 - self.stamp_ns / 1e9
        if age_secs > limits.stale_pull_secs + STAMP_SLACK_SECS:
            self.fail(world, "I-15", f"placed on data {age_secs:.2f} s old")
        if not 0 < self.touch[1] < self.touch[-1]:
            self.fail(world, "I-15", f"placed on a book with touch {self.touch}")
        for order in action.orders:
            worth = INSTRUMENT.is_above_minimum(order.price, order.size) or order.is_reduce_only
            if not (INSTRUMENT.is_allowed_price(order.price) and order.size > 0 and worth):
                self.fail(world, "I-05", f"sent {order}")
            if order.tif is not Tif.ALO:
                self.fail(world, "I-06", f"sent {order}")
            for index, reference in self.context.items():
                if reference and abs(order.price / reference - 1) > limits.price_collar_bps / 1e4:
                    self.fail(world, "I-16", f"sent {order} against {index}: {reference}")

    def check_nonces(self, world):
        for nonce in world.link.sent_nonces:
            if nonce <= self.nonce:
                self.fail(world, "I-09", f"nonce {nonce} after {self.nonce}")
            self.nonce = nonce
        world.link.sent_nonces.clear()

    def check_exposure(self, world):
        """I-03, I-04: what rests and what may still land, against the limit and against itself."""
        lots = {Side.BUY: 0, Side.SELL: 0}
        best = {Side.BUY: 0, Side.SELL: 1 << 62}
        live = [(order.side, order.price, order.remaining) for order in world.own_orders]
        for request in world.link.flying:
            if is_placement(request):
                live += [(order.side, order.price, order.size) for order in request.action.orders]
        for side, price, size in live:
            lots[side] += size
            best[side] = max(best[side], price) if side is Side.BUY else min(best[side], price)
        position, limit = world.position, world.position_limit
        # What a stranger does to the position is not ours to prevent.
        slack = self.strangers_lots
        for side in Side:
            worst = position + side * lots[side]
            if side * worst > limit + slack and lots[side]:
                self.fail(
                    world,
                    "I-03",
                    f"position {position} and {lots[side]} lots to {side.name} may become {worst}, "
                    f"limit {limit}",
                )
        if best[Side.BUY] >= best[Side.SELL]:
            self.fail(world, "I-04", f"own book crosses: {best}")
        # The engine's own limit is also one of value, which follows the price.
        own_limit = world.engine.snapshot().position_limit or limit
        self.counts["at the limit"] += abs(position) > own_limit * 0.9
        self.counts["largest exposure"] = max(
            self.counts["largest exposure"],
            abs(position + lots[Side.BUY]),
            abs(position - lots[Side.SELL]),
        )

    # After every block, before anything of it is delivered

    def after_truth(self, world, truth):
        for fill in truth.fills:
            self.counts["fills"] += 1
            if fill.cloid is None:
                self.strangers_lots += fill.size
            elif fill.is_taker:
                self.fail(world, "I-06", f"a taker fill: {fill}")
        for request, payload in truth.replies:
            for text in error_texts(payload):
                self.counts["refusals"] += 1
                if any(word in text for word in FORBIDDEN_REFUSALS):
                    self.fail(world, "I-05", f"refused: {text}: {request}")

    # After every tick

    def after_tick(self, world):
        if world.sessions != self.session:
            self.begin_session(world)
        self.check_exposure(world)
        self.check_table(world)
        sides = {order.side for order in world.own_orders}
        if len(sides) == 2:
            self.counts["two-sided ticks"] += 1
        self.counts[f"mode {world.engine.mode.name}"] += 1

    def on_end(self, world):
        """I-02: an engine that says that its orders are proved gone leaves none behind."""
        if world.engine.snapshot().is_proved:
            left = [order.cloid for order in world.own_orders]
            left += [request for request in world.link.flying if is_placement(request)]
            if left:
                self.fail(world, "I-02", f"ended, and left behind: {left}")
        elif world.engine.snapshot().latch is None:
            self.counts["ended unproved"] += 1

    def check_table(self, world):
        """I-01, I-13, I-22: the engine's table against the truth and against its own past."""
        live = {order.cloid: order for order in world.engine.snapshot().orders}
        for cloid, order in live.items():
            if not 0 <= order.remaining <= min(self.remaining.get(cloid, order.size), order.size):
                self.fail(world, "I-13", f"{order}, before {self.remaining.get(cloid)} lots")
            if cloid in self.gone:
                self.fail(world, "I-13", f"{order} is back from its end")
        self.gone |= self.remaining.keys() - live.keys()
        self.remaining = {cloid: order.remaining for cloid, order in live.items()}
        for order in world.own_orders:
            cloid = int(order.cloid, 16)
            # The last request of a killed process may land while the next one warms up.
            is_of_this_session = cloid >> 64 & 0xFFFFFFFF == world.session_secs
            modes = SYNCED_MODES if is_of_this_session else PLACING_MODES
            if cloid not in live and world.engine.mode in modes:
                self.fail(world, "I-01", f"{order.oid} {order.cloid} rests and is not known")
        if len(live) > LIVE_ORDERS_MAX:
            self.fail(world, "I-22", f"{len(live)} orders in the table")
        if len(world.link.open) > UNDER_WAY_MAX:
            self.fail(world, "I-22", f"{len(world.link.open)} actions under way")

    def check_stranger(self, world):
        """I-18: the stranger's orders end by its own hand or by being filled."""
        for order in world.account.history.values():
            if order.cloid is None and order.tif == "Gtc":
                allowed = order.oid in world.stranger.cancelled
                if not allowed and order.status not in ("open", "filled"):
                    self.fail(world, "I-18", f"the stranger's order {order.oid}: {order.status}")

    def check_rest(self, world):
        """I-11, I-12 at rest: nothing is under way and the market stands still."""
        engine = world.engine.snapshot()
        if engine.ledger.position != world.position:
            self.fail(
                world, "I-11", f"position {engine.ledger.position}, in truth {world.position}"
            )
        known = {order.cloid for order in world.engine.snapshot().orders}
        truth = {int(order.cloid, 16) for order in world.own_orders}
        if known != truth:
            self.fail(world, "I-11", f"orders {known ^ truth} are known on one side only")
        self.check_money(world, engine.ledger)

    def check_money(self, world, ledger):
        """I-12: what the account owns is what it began with and every gain since, fees taken off.

        A position that had to be adopted came without its price, so that money cannot agree.
        """
        if world.adjustments or ledger.adjustments:
            self.counts["adopted"] += 1
            return
        owned_usd = (world.account.pool().cash + world.position * ledger.mark_price) / 1e6
        slack_usd = 1e-6 * (1 + len(world.account.fills))
        if abs(ledger.equity_usd - owned_usd) > slack_usd:
            self.fail(world, "I-12", f"equity {ledger.equity_usd} USD, in truth {owned_usd} USD")


def is_placement(request):
    return isinstance(request.action, PlaceOrders)


def error_texts(payload):
    """Iterate over the errors of a reply's body."""
    if payload["status"] == "err":
        yield payload["response"]
        return
    for status in payload["response"].get("data", {}).get("statuses", []):
        if isinstance(status, dict) and "error" in status:
            yield status["error"]


def live_through(seed, **options):
    """Run a seed: warm up, faults, healing, rest. Returns the world and its invariants."""
    invariants = Invariants()
    world = FaultWorld(
        seed,
        after_step=invariants.after_step,
        after_truth=invariants.after_truth,
        after_tick=invariants.after_tick,
        on_end=invariants.on_end,
        **options,
    )
    world.warm_up()
    world.break_things()
    world.run(FAULT_TICKS)
    heal(world, invariants)
    world.settle()
    invariants.check_rest(world)
    invariants.check_stranger(world)
    return world, invariants


def heal(world, invariants):
    """I-08, I-24: once the faults end, a killed engine ends and a living one quotes again."""
    world.heal()
    within = BACK_WITHIN_TICKS + (0 if world.engine.snapshot().is_warm else WARM_WITHIN_TICKS)
    first, sessions, back, halted = 0, world.sessions, None, 0
    for tick in range(HEALED_TICKS):
        world.run(1)
        halted = halted + 1 if world.engine.mode is Mode.HALTED else 0
        if halted > KILLED_WITHIN_TICKS and world.own_orders:
            invariants.fail(world, "I-08", f"{len(world.own_orders)} orders after a kill")
        if halted > BACK_WITHIN_TICKS:
            invariants.fail(world, "I-24", f"killed, and not ended {halted} ticks after")
        if world.sessions != sessions:  # killed and ended, and an operator started it again
            first, sessions, back = tick, world.sessions, None
            within = BACK_WITHIN_TICKS + WARM_WITHIN_TICKS
        if back is None and quotes_all_it_may(world):
            back = tick
        if back is None and not halted and tick - first > within:
            mode = world.engine.mode.name
            invariants.fail(world, "I-24", f"{mode}, not quoting {tick - first} ticks after")
    invariants.counts["ticks until back"] = (back or 0) - first


def quotes_all_it_may(world):
    """Whether both sides rest in truth; one may miss near the position limit or while it pauses."""
    sides = {order.side for order in world.own_orders}
    sides |= {
        Side[notice.fields["side"].upper()]
        for tick, notice in world.notices
        if notice.event == "Side paused" and world.ticks - tick <= SIDE_PAUSE_TICKS
    }
    room = world.position_limit - world.order_lots
    return all(side in sides or side * world.position > room for side in Side)
