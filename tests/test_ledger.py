"""Each fill once, and money that sums exactly."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermm.ledger import DAY_NS, SEEN_MAX, DayFigures, Ledger
from hypermm.messages import AccountState, Fill, FundingPaid, Side
from tests.scenario import MID, SEC, START_NS

DAY = START_NS // DAY_NS


def account(position: int = 0, at_ns: int = START_NS, value_usd: float = 10_000.0) -> AccountState:
    return AccountState(
        1, position, 0.0, value_usd, 0.0, value_usd, 20, is_cross=True, exch_ns=at_ns
    )


def make_fill(
    i: int,
    side: Side = Side.BUY,
    size: int = 100,
    price: int = MID,
    fee_usd: float = 0.0,
    start: int = 0,
    at_ns: int | None = None,
) -> Fill:
    stamp = START_NS + i * SEC if at_ns is None else at_ns
    return Fill(i, 10 * i, None, side, price, size, fee_usd, stamp, start, 0.0, is_taker=False)


def begun(position: int = 0, day: DayFigures | None = None) -> Ledger:
    ledger = Ledger(day)
    ledger.begin(account(position), float(MID))
    return ledger


FILLS = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.integers(1, 5_000),
        st.integers(MID // 2, 2 * MID),
        st.integers(-5_000_000, 5_000_000),
    ),
    max_size=30,
)


@given(FILLS, st.integers(MID // 2, 2 * MID), st.integers(-2_000, 2_000))
def test_i12_money_sums_exactly(trades, mark, start):
    """Cash plus the position at the mark, less fees, is the P&L: by exact fractions."""
    ledger = begun(start)
    cash, position, fees = Fraction(-start * MID, 10**6), start, Fraction(0)
    for i, (side, size, price, fee_micro) in enumerate(trades, 1):
        fee_usd = fee_micro / 1e6
        assert ledger.apply(make_fill(i, side, size, price, fee_usd, position))
        cash -= Fraction(side * size * price, 10**6)
        position += side * size
        fees += Fraction(fee_micro, 10**6)

    ledger.mark(float(mark), START_NS)

    figures = ledger.figures()
    assert figures.position == position
    assert figures.cash_usd == pytest.approx(float(cash), abs=1e-6)
    total = float(cash + Fraction(position * mark, 10**6) - fees)
    assert figures.session_pnl_usd == pytest.approx(total, abs=1e-6)
    assert figures.realised_usd + figures.unrealised_usd - figures.fees_usd == pytest.approx(
        total, abs=1e-6
    )
    if position == 0:
        assert figures.unrealised_usd == pytest.approx(0.0, abs=1e-9)


def test_realised_is_what_closing_earned():
    """Bought 100 at 100,000 and sold 100 at 100,100: 0.1 USD, whatever the mark."""
    ledger = begun()
    ledger.apply(make_fill(1, Side.BUY, 200, MID))
    ledger.apply(make_fill(2, Side.SELL, 100, MID + 1_000, start=200))

    figures = ledger.figures()
    assert figures.realised_usd == pytest.approx(0.1)
    assert figures.unrealised_usd == 0.0
    assert figures.position == 100


def test_a_fill_through_zero_closes_and_opens():
    """The part that closes is realised, the rest has the fill's price as its cost."""
    ledger = begun()
    ledger.apply(make_fill(1, Side.BUY, 100, MID))
    ledger.apply(make_fill(2, Side.SELL, 300, MID + 1_000, start=100))

    ledger.mark(float(MID + 1_000), START_NS)

    figures = ledger.figures()
    assert (figures.position, figures.realised_usd, figures.unrealised_usd) == (-200, 0.1, 0.0)


@given(FILLS, st.randoms(use_true_random=False))
def test_fa01_copies_and_order_change_nothing(trades, random):
    """Streams repeat and overlap; the position and the cash are sums."""
    fills, position = [], 0
    for i, (side, size, price, _) in enumerate(trades, 1):
        fills.append(make_fill(i, side, size, price, 0.0, position))
        position += side * size
    clean, noisy = begun(), begun()
    for fill in fills:
        clean.apply(fill)
    copies = fills + random.choices(fills, k=len(fills)) if fills else []
    random.shuffle(copies)

    booked = sum(noisy.apply(fill) for fill in copies)

    assert booked == len(fills)
    assert noisy.position == clean.position == position
    assert noisy.figures().cash_usd == pytest.approx(clean.figures().cash_usd, abs=1e-9)
    assert noisy.is_chained


@given(st.integers(1, 8), st.randoms(use_true_random=False))
def test_fa03_fills_of_one_stamp_chain_in_any_order(n, random):
    """The exchange's own start positions tell whether one is missing."""
    fills = [make_fill(i, Side.BUY, 10, start=10 * i, at_ns=START_NS + 1) for i in range(n + 1)]
    missing = random.choice(fills[:-1])  # the last one leaves no gap
    random.shuffle(fills)
    ledger = begun()

    for fill in fills:
        if fill is not missing:
            ledger.apply(fill)
    assert not ledger.is_chained

    ledger.apply(missing)
    assert ledger.is_chained


def test_fills_up_to_the_account_s_stamp_are_in_it():
    """The first answer of the fill stream is the past."""
    ledger = Ledger()
    for i in range(-2, 3):
        assert not ledger.apply(make_fill(i))  # waits for the account

    ledger.begin(account(500), float(MID))

    assert ledger.position == 500 + 2 * 100


def test_i22_the_set_of_seen_fills_is_bounded_and_forgets_nothing_twice():
    """A copy older than what is remembered counts as seen."""
    ledger = begun()
    first = make_fill(1)
    ledger.apply(first)
    for i in range(2, SEEN_MAX + 50):
        ledger.apply(make_fill(i, start=100 * (i - 1)))

    assert not ledger.apply(first)
    assert ledger.position == 100 * (SEEN_MAX + 49)


def test_fa06_a_difference_that_lasts_two_seconds_is_adopted():
    """Once may be an answer that crossed a fill."""
    ledger = begun()

    assert ledger.compare(account(300, START_NS + SEC), 0) is None
    assert ledger.is_in_doubt
    assert ledger.compare(account(300, START_NS + 2 * SEC), SEC) is None
    adjustment = ledger.compare(account(300, START_NS + 3 * SEC), 2 * SEC)

    assert adjustment is not None
    assert (adjustment.difference, ledger.position) == (300, 300)
    assert ledger.figures().session_pnl_usd == 0.0
    assert not ledger.is_in_doubt
    # The fill that explains it arrives at last: it is in the adopted number.
    assert not ledger.apply(make_fill(2, size=300))
    assert ledger.position == 300


def test_fa06_fills_later_than_the_account_are_taken_back():
    """An account read while a fill was under way agrees with us."""
    ledger = begun()
    ledger.apply(make_fill(5, size=100))

    ledger.compare(account(0, START_NS + 4 * SEC), 0)
    assert not ledger.is_in_doubt
    ledger.compare(account(100, START_NS + 5 * SEC), 0)
    assert not ledger.is_in_doubt


def test_fa06_a_stale_account_says_nothing():
    """An older answer that arrives late must not be taken for a second proof."""
    ledger = begun()
    ledger.compare(account(300, START_NS + 2 * SEC), 0)

    assert ledger.compare(account(300, START_NS + 2 * SEC), 5 * SEC) is None
    assert ledger.position == 0


def test_fa06_three_adoptions_in_an_hour_are_too_many():
    """Something else trades here, or we do not hear our fills."""
    ledger = begun()
    now = 0
    for i in range(1, 4):
        assert not ledger.adopts_too_often(now)
        for _ in range(2):
            now += 3 * SEC
            ledger.compare(account(100 * i, START_NS + now), now)

    assert ledger.adopts_too_often(now)
    assert not ledger.adopts_too_often(now + 3_600 * SEC)


def test_fa05_funding_and_rebates_are_money_and_count_once():
    """FA-05: P&L is after fees and funding; a rebate is a negative fee; the account's own first."""
    ledger = begun(1_000)
    hour = 3_600 * SEC
    assert not ledger.apply_funding(FundingPaid(-9.0, START_NS))  # in the account's value already
    ledger.apply(make_fill(3, size=100, fee_usd=-0.5))

    assert ledger.apply_funding(FundingPaid(-2.0, START_NS + hour))
    assert not ledger.apply_funding(FundingPaid(-2.0, START_NS + hour))
    assert ledger.apply_funding(FundingPaid(0.75, START_NS + 2 * hour))

    figures = ledger.figures()
    assert (figures.fees_usd, figures.funding_usd) == (-0.5, -1.25)
    gross = figures.realised_usd + figures.unrealised_usd
    assert figures.session_pnl_usd == pytest.approx(gross + 0.5 - 1.25, abs=1e-9)
    assert figures.day_pnl_usd == pytest.approx(figures.session_pnl_usd, abs=1e-9)


def test_fa05_funding_before_the_account_is_known_is_in_it():
    """FA-05: the snapshot of the stream is the past."""
    ledger = Ledger()

    assert not ledger.apply_funding(FundingPaid(-2.0, START_NS))


def test_rk05_drawdown_is_measured_against_equity_and_peak():
    """DECISIONS 5: a tiny peak does not make a small fall a catastrophe."""
    ledger = begun(1_000)  # 1,000 USD worth
    ledger.mark(MID * 1.01, START_NS)
    ledger.mark(MID * 0.98, START_NS)

    figures = ledger.figures()
    assert figures.day_peak_usd == pytest.approx(10.0)
    assert figures.drawdown_fraction == pytest.approx(30.0 / 10_010.0)


@given(st.floats(0.0, 1.0) | st.just(math.nan), st.floats(0.5, 2.0))
def test_rk05_drawdown_of_an_empty_account_is_defined(value_usd, move):
    """No division by zero; what is not a number stays one and trips the kill."""
    ledger = Ledger()
    ledger.begin(account(1_000, value_usd=value_usd), float(MID))

    ledger.mark(MID * move, START_NS)

    assert math.isnan(ledger.drawdown_fraction) or ledger.drawdown_fraction >= 0.0
    if math.isnan(value_usd):
        assert not ledger.drawdown_fraction < 1e9


def test_the_day_rolls_by_the_venue_s_time():
    """At 00:00 UTC the loss starts at zero, and the equity of that moment is the base."""
    ledger = begun(1_000)
    ledger.mark(MID * 0.99, START_NS)
    assert ledger.figures().day_pnl_usd == pytest.approx(-10.0)

    ledger.mark(MID * 0.99, (DAY + 1) * DAY_NS)

    figures = ledger.figures()
    assert (figures.day_pnl_usd, figures.drawdown_fraction) == (0.0, 0.0)
    assert figures.session_pnl_usd == pytest.approx(-10.0)
    assert ledger.day_figures().start_equity_usd == pytest.approx(9_990.0)


def test_fa07_a_restart_goes_on_with_the_day():
    """The same day over two processes gives the same figures as one."""
    fills = [make_fill(i, Side.BUY, 100, MID - i * 50, 0.01, 100 * (i - 1)) for i in range(1, 7)]
    one = begun()
    for last, mark in ((2, 0.99), (5, 0.98), (6, 0.97)):
        for fill in fills[:last]:
            one.apply(fill)
        one.mark(MID * mark, START_NS + 20 * SEC)

    before = begun()
    for fill in fills[:2]:
        before.apply(fill)
    before.mark(MID * 0.99, START_NS + 2 * SEC)
    before.prove(fills[:2])
    before.apply(fills[2])  # booked, but no list has proved that nothing is missing before it
    after = Ledger(before.day_figures())
    for fill in fills[1:5]:  # read from the exchange
        after.apply(fill)
    adjustment = after.begin(account(500, START_NS + 5 * SEC), MID * 0.98)
    after.apply(fills[5])
    after.mark(MID * 0.97, START_NS + 20 * SEC)

    assert adjustment is None
    assert after.position == one.position == 600
    assert after.figures().day_pnl_usd == pytest.approx(one.figures().day_pnl_usd, abs=1e-9)
    assert after.figures().equity_usd == pytest.approx(one.figures().equity_usd, abs=1e-9)
    assert after.figures().day_peak_usd == pytest.approx(one.figures().day_peak_usd, abs=1e-9)


def test_fa07_a_restart_that_cannot_explain_the_position_adopts_it():
    """The exchange is the truth; the difference is counted."""
    figures = DayFigures(DAY, 10_000.0, -50.0, 20.0, 100, float(MID), START_NS - SEC)
    ledger = Ledger(figures)

    adjustment = ledger.begin(account(700), float(MID))

    assert adjustment is not None
    assert adjustment.difference == 600
    assert ledger.position == 700
    assert ledger.figures().day_pnl_usd == pytest.approx(-50.0)
    assert ledger.figures().drawdown_fraction == pytest.approx(70.0 / 10_020.0)


def test_figures_of_another_day_are_not_carried():
    """Yesterday's loss is not today's."""
    ledger = begun(0, DayFigures(DAY - 1, 9_000.0, -400.0, 5.0, 100, 1.0, START_NS - DAY_NS))

    assert ledger.figures().day_pnl_usd == 0.0
    assert ledger.position == 0
    assert ledger.day_figures() == DayFigures(DAY, 10_000.0, 0.0, 0.0, 0, float(MID), START_NS)


def test_nothing_is_written_down_before_the_account_is_known():
    """A restart in the first second must not overwrite the day with zeros."""
    assert Ledger().day_figures() is None


def test_fa07_fills_that_arrive_after_a_later_one_survive_a_restart():
    """Two that cancel out would leave a right position and a wrong P&L."""
    buy = make_fill(1, Side.BUY, 100, MID)
    sell = make_fill(2, Side.SELL, 100, MID + 1_000, start=100)
    last = make_fill(3, Side.BUY, 50, MID)
    before = begun()
    before.apply(last)  # the stream lost the first two
    before.prove((buy, sell))  # an answer that is older than what we know proves nothing

    after = Ledger(before.day_figures())
    for fill in (buy, sell, last):
        after.apply(fill)
    adjustment = after.begin(account(50, START_NS + 4 * SEC), float(MID))

    assert adjustment is None
    assert after.figures().day_pnl_usd == pytest.approx(0.1)


def test_a_new_day_begins_with_its_own_peak():
    """Yesterday's peak would make today's first step a drawdown."""
    ledger = begun(1_000)
    ledger.mark(MID * 1.02, START_NS)
    ledger.mark(MID * 1.01, START_NS)
    assert ledger.drawdown_fraction > 0.0

    ledger.mark(MID * 1.01, (DAY + 1) * DAY_NS)

    figures = ledger.figures()
    assert (figures.day_peak_usd, figures.drawdown_fraction) == (0.0, 0.0)


def test_the_dead_run_s_fills_are_the_day_s_and_not_the_session_s():
    """The farewell of a run tells what this run earned, paid and traded."""
    figures = DayFigures(DAY, 10_000.0, -5.0, 1.0, 0, float(MID), START_NS - 10 * SEC)
    ledger = Ledger(figures)
    for i, (side, price, start) in enumerate(
        ((Side.BUY, MID, 0), (Side.SELL, MID + 1_000, 100), (Side.BUY, MID - 1_000, 0)), 1
    ):
        at_ns = START_NS - (5 - i) * SEC
        ledger.apply(make_fill(i, side, 100, price, 0.05, start, at_ns))

    ledger.begin(account(100), float(MID))

    session = ledger.figures()
    assert (session.session_pnl_usd, session.fees_usd) == (0.0, 0.0)
    assert (session.fills, session.traded_usd, session.realised_usd) == (0, 0.0, 0.0)
    assert session.unrealised_usd == 0.0
    assert session.day_pnl_usd == pytest.approx(-5.0 + 0.1 + 0.1 - 0.15)
    ledger.apply(make_fill(9, Side.SELL, 100, MID + 1_000, 0.01, 100))
    assert ledger.figures().session_pnl_usd == pytest.approx(0.1 - 0.01)
    assert ledger.figures().day_pnl_usd == pytest.approx(-4.95 + 0.09)
    assert ledger.day_figures().pnl_usd == pytest.approx(-4.95)  # proved without the last one


def test_a_fill_of_yesterday_that_is_heard_today_is_yesterday_s():
    """The loss of a new day begins at zero, whenever the fill stream delivers."""
    midnight_ns = (DAY + 1) * DAY_NS
    fill = make_fill(1, Side.BUY, 100, MID + 5_000, 0.5, 0, midnight_ns - SEC)
    late, timely = begun(), begun()
    timely.apply(fill)
    for ledger in (late, timely):
        ledger.mark(float(MID), midnight_ns - SEC // 2)
        ledger.mark(float(MID + 1_000), midnight_ns)

    late.apply(fill)
    for ledger in (late, timely):
        ledger.mark(float(MID + 3_000), midnight_ns + SEC)

    assert late.figures().day_pnl_usd == pytest.approx(0.2)  # 100 lots, 2,000 units up
    assert late.figures().day_pnl_usd == pytest.approx(timely.figures().day_pnl_usd)
    assert late.figures().equity_usd == pytest.approx(timely.figures().equity_usd)
    assert late.figures().session_pnl_usd == pytest.approx(timely.figures().session_pnl_usd)
