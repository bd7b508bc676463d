"""From doubt to proof, by the reads alone."""

from itertools import count, pairwise

import pytest

from hypermm.messages import ReadAccount, ReadFills, ReadOpenOrders, ReadOrder
from hypermm.recovery import Phase, Read, Recovery
from tests.scenario import SEC


class Reads:
    """A recovery with a clock; collects what it asks."""

    def __init__(self) -> None:
        self.recovery = Recovery(count(1))
        self.now_ns = SEC
        self.doubtful: tuple[int, ...] = ()

    def ask(self, after_secs: float = 0.0) -> list[object]:
        self.now_ns += round(after_secs * SEC)
        return list(
            self.recovery.reads(self.doubtful, self.now_ns, 1_000_000, fresh_ns=self.now_ns)
        )

    def list(
        self, read: ReadOpenOrders, *, is_settled: bool = True, has_ours: bool = False
    ) -> None:
        asked_ns = self.recovery.answered(Read.LIST, read.id, self.now_ns)
        assert asked_ns is not None
        self.recovery.listed(
            is_settled=is_settled, has_ours=has_ours, asked_ns=asked_ns, now_ns=self.now_ns
        )

    def account(self, *reads: object, agrees: bool = True) -> None:
        for action in reads:
            read = Read.ACCOUNT if isinstance(action, ReadAccount) else Read.FILLS
            assert self.recovery.answered(read, action.id, self.now_ns) is not None
            self.recovery.account_read(read, agrees=agrees, now_ns=self.now_ns)

    def sync(self) -> "Reads":
        self.recovery.connected(self.now_ns)
        listing, fills = self.ask()
        self.account(fills)
        self.list(listing)
        self.account(*self.ask())
        assert self.recovery.is_synced
        return self


def test_the_list_comes_first_then_account_and_fills():
    """Position and fills mean something only when no order is in doubt."""
    reads = Reads()
    assert reads.ask() == []  # not connected
    reads.recovery.connected(reads.now_ns)

    listing = reads.ask()[0]
    assert isinstance(listing, ReadOpenOrders)
    reads.list(listing, is_settled=False)
    assert reads.recovery.phase is Phase.LISTING
    assert reads.ask(0.4) == []
    (again,) = reads.ask(0.1)
    reads.list(again)

    asked = reads.ask()
    assert {type(action) for action in asked} <= {ReadAccount, ReadFills}
    reads.account(*asked)
    reads.account(*reads.ask())
    assert reads.recovery.is_synced


def test_doubts_that_are_settled_by_themselves_need_no_second_list():
    """The status reads have proved them."""
    reads = Reads()
    reads.recovery.connected(reads.now_ns)
    reads.recovery.settled(reads.now_ns)
    assert reads.recovery.phase is Phase.LISTING  # no list was seen yet

    reads.list(reads.ask()[0], is_settled=False)
    reads.recovery.settled(reads.now_ns)

    assert reads.recovery.phase is Phase.READING


def test_list_and_account_are_compared_every_ten_seconds():
    """Safety auditor."""
    reads = Reads().sync()
    reads.list(*reads.ask(2.0))

    assert {type(action) for action in reads.ask(8.0)} == {ReadAccount}
    assert {type(action) for action in reads.ask(2.0)} == {ReadOpenOrders}


def test_the_first_list_is_soon_followed_by_another():
    """PR-01: the last request of a process that was killed may land after the first list."""
    reads = Reads().sync()
    assert reads.ask(1.9) == []

    (second,) = reads.ask(0.1)
    assert isinstance(second, ReadOpenOrders)
    assert not reads.recovery.is_alone
    reads.list(second)

    assert reads.recovery.is_alone
    assert [type(action) for action in reads.ask(7.9)] == []


def test_an_answer_to_a_question_that_nobody_asked_is_not_believed():
    """Late answers of an earlier connection."""
    reads = Reads().sync()

    assert reads.recovery.answered(Read.LIST, 12345, reads.now_ns) is None
    assert reads.recovery.answered(Read.FILLS, 0, reads.now_ns) is None


def test_two_reads_that_do_not_know_an_order_count_only_two_seconds_apart():
    """An index may lag; two agreeing reads are the proof."""
    reads = Reads().sync()
    reads.doubtful = (77,)
    reads.ask()
    asked_at = []
    never = None
    while never is None:
        for action in reads.ask(0.1):
            if isinstance(action, ReadOrder):
                asked_at.append(reads.now_ns / SEC)
                never = reads.recovery.order_read(action.id, is_known=False, now_ns=reads.now_ns)
        assert reads.now_ns < 20 * SEC

    assert never == 77
    assert len(asked_at) == 2
    assert asked_at[1] - asked_at[0] >= 2.0


def test_reads_of_a_venue_that_stands_still_prove_nothing():
    """What waits for its next block is unknown to it, however often it is asked."""
    reads = Reads().sync()
    reads.doubtful = (77,)
    fresh_ns = reads.now_ns + SEC
    for _ in range(200):
        reads.now_ns += SEC // 10
        for action in reads.recovery.reads((77,), reads.now_ns, 0, fresh_ns=fresh_ns):
            if isinstance(action, ReadOrder):
                known = reads.recovery.order_read(action.id, is_known=False, now_ns=reads.now_ns)
                assert known is None


def test_a_read_that_knows_the_order_starts_the_count_anew():
    """It was there in between."""
    reads = Reads().sync()
    reads.doubtful = (77,)
    results = []
    for is_known in (False, True, False, False):
        asked: list[ReadOrder] = []
        while not asked:
            asked = [a for a in reads.ask(0.1) if isinstance(a, ReadOrder)]
        results.append(
            reads.recovery.order_read(asked[0].id, is_known=is_known, now_ns=reads.now_ns)
        )

    assert results == [None, None, None, 77]


@pytest.mark.parametrize(
    ("fails", "expected"),
    [(False, [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]), (True, [0.5, 1.0] + 4 * [2.0])],
)
def test_status_reads_slow_down_and_end_with_the_doubt(fails, expected):
    """To ten seconds while the order is there, to two while nothing is known of it."""
    reads = Reads().sync()
    reads.doubtful = (77,)
    times = []
    while len(times) < 7:
        for action in reads.ask(0.1):
            if isinstance(action, ReadOrder):
                times.append(reads.now_ns / SEC)
                if fails:
                    reads.recovery.failed(action.id, reads.now_ns)
                else:
                    reads.recovery.order_read(action.id, is_known=True, now_ns=reads.now_ns)

    assert [round(b - a, 1) for a, b in pairwise(times)] == expected
    reads.doubtful = ()
    assert not [a for a in reads.ask(10.0) if isinstance(a, ReadOrder)]


def test_reads_in_flight_are_bounded():
    """A hundred doubts do not make a hundred requests at once."""
    reads = Reads().sync()
    reads.doubtful = tuple(range(1, 101))
    reads.ask()

    assert len([a for a in reads.ask(1.0) if isinstance(a, ReadOrder)]) == 8
    assert reads.recovery.due_ns() > reads.now_ns  # the others wait without waking anybody
    assert not [a for a in reads.ask(1.0) if isinstance(a, ReadOrder)]


def test_a_read_that_is_never_answered_is_asked_again():
    """The engine does not depend on anybody's honesty about time."""
    reads = Reads()
    reads.recovery.connected(reads.now_ns)
    assert reads.ask()

    assert not [a for a in reads.ask(14.0) if isinstance(a, ReadOpenOrders)]
    reads.ask(1.0)
    assert [a for a in reads.ask(0.5) if isinstance(a, ReadOpenOrders)]


def sweep(reads: Reads, *, is_settled: bool, has_ours: int = 0) -> float:
    """Sweep to the proof; returns how long it took."""
    start_ns = reads.now_ns
    reads.recovery.sweep(reads.now_ns)
    while not reads.recovery.is_proved:
        for action in reads.ask(0.05):
            if isinstance(action, ReadOpenOrders):
                reads.list(action, is_settled=is_settled, has_ours=has_ours > 0)
                has_ours -= 1
            elif isinstance(action, ReadAccount | ReadFills):
                reads.account(action)
        assert reads.now_ns < start_ns + 60 * SEC
    return (reads.now_ns - start_ns) / SEC


def test_the_sweep_needs_two_agreeing_lists_and_a_last_account():
    """Quick when every order is proved; two seconds apart when one may still land."""
    assert sweep(Reads().sync(), is_settled=True) == pytest.approx(0.55, abs=0.2)
    assert 2.0 <= sweep(Reads().sync(), is_settled=False) <= 2.7
    assert sweep(Reads().sync(), is_settled=True, has_ours=3) >= 2.0


def test_a_sweep_goes_on_through_a_lost_connection():
    """Reads go over another way, or fail and are repeated."""
    reads = Reads().sync()
    reads.recovery.sweep(reads.now_ns)
    reads.recovery.disconnected()
    assert reads.recovery.phase is Phase.SWEEPING

    reads.recovery.connected(reads.now_ns)

    assert sweep(reads, is_settled=True) < 2.0
    assert reads.ask(100.0) == []


def test_an_account_that_does_not_agree_is_read_again_until_it_does():
    """Not ready until caught up."""
    reads = Reads()
    reads.recovery.connected(reads.now_ns)
    listing, fills = reads.ask()
    reads.account(fills)
    reads.list(listing)
    reads.account(*reads.ask(), agrees=False)
    assert not reads.recovery.is_synced

    reads.account(*reads.ask(1.0))

    assert reads.recovery.is_synced
