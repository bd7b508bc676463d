"""Hourly funding: premiums sampled in the hour, the rate by the published formula, payments.

Source: Hyperliquid documentation, "Funding"; builders' dexs have a premium of their own form and a
multiplier (HIP-3). Rates are in 1e-12, the premium of an hour is the mean of its samples.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from hypermm.messages import Side
from hypermm.sim.accounts import FundingPayment
from hypermm.sim.orders import NO_HASH
from hypermm.sim.rules import HOUR_MS
from hypermm.sim.shapes import size_text

if TYPE_CHECKING:
    from hypermm.sim.desk import Desk
    from hypermm.sim.listing import Listing

UNIT = 10**12
SAMPLE_MS = 5_000
HOURS_A_PERIOD = 8  # the formula's rate is for eight hours
INTEREST = UNIT // 10_000  # per eight hours
CLAMP = 5 * UNIT // 10_000
CAP = 4 * UNIT // 100  # an hour


def hourly_rate(premium: int, multiplier: Decimal = Decimal(1)) -> int:
    """Return the rate of an hour for its mean premium, both in 1e-12."""
    pull = max(-CLAMP, min(CLAMP, INTEREST - premium))
    rate = int(Decimal((premium + pull) // HOURS_A_PERIOD) * multiplier)
    return max(-CAP, min(CAP, rate))


class Funding:
    """Samples premiums and lets positions pay each other, and the outside world, by the hour.

    Parameters
    ----------
    desk : Desk
        Knows who holds positions, and the dexs.
    listings : iterable of Listing
        The markets.
    start_ms : int
        Venue time.
    """

    def __init__(self, desk: "Desk", listings: "Iterable[Listing]", start_ms: int) -> None:
        self._desk = desk
        self._listings = tuple(listings)
        self._next_sample_ms = start_ms
        self._next_hour_ms = start_ms - start_ms % HOUR_MS + HOUR_MS

    def step(self, now_ms: int) -> None:
        """Sample and pay what is due."""
        if now_ms >= self._next_hour_ms:
            self._next_hour_ms = now_ms - now_ms % HOUR_MS + HOUR_MS
            for listing in self._listings:
                self._pay(listing, now_ms)
        if now_ms >= self._next_sample_ms:
            self._next_sample_ms = now_ms - now_ms % SAMPLE_MS + SAMPLE_MS
            for listing in self._listings:
                self._sample(listing)

    def _sample(self, listing: "Listing") -> None:
        premium = listing.premium()
        dex = self._desk.dexs[listing.instrument.dex]
        if dex.name and premium is not None:  # builders' markets: the middle of both impacts
            bid, ask = listing.impact_price(Side.BUY), listing.impact_price(Side.SELL)
            assert bid is not None, f"{listing.coin} has a premium without a bid"
            assert ask is not None, f"{listing.coin} has a premium without an ask"
            premium = (bid + ask) / (2 * listing.oracle_price) - 1
        if premium is None:
            return
        listing.premiums.append(round(premium * UNIT))
        if not listing.has_own_funding:
            mean = sum(listing.premiums) // len(listing.premiums)
            multiplier = Decimal(dex.funding_multipliers.get(listing.coin, "1"))
            listing.funding = hourly_rate(mean, multiplier)

    def _pay(self, listing: "Listing", now_ms: int) -> None:
        samples, listing.premiums = listing.premiums, []
        mean = sum(samples) // len(samples) if samples else 0
        rate = listing.funding
        listing.funding_history.append((now_ms, rate, mean))
        oracle = round(listing.oracle_price)
        bank, dex = self._desk.bank, listing.instrument.dex
        for account in {id(x): x for x in self._desk.exposed.values()}.values():
            position = account.pool(dex).positions.get(listing.asset)
            if position is None or position.size == 0:
                continue
            owed = position.size * oracle * rate  # longs pay where the rate is positive
            amount = abs(owed) // UNIT if self._desk.rules.is_funding_cut else _nearest(owed)
            amount = -amount if owed > 0 else amount
            if position.is_cross:
                account.pool(dex).cash += amount
            else:
                position.raw += amount
            bank.outside -= amount
            position.funding -= amount
            position.funding_since_open -= amount
            position.funding_since_change -= amount
            payment = FundingPayment(
                now_ms, listing.coin, amount, size_text(listing, position.size), rate, NO_HASH
            )
            account.fundings.append(payment)
            self._desk.news_of(account).fundings.append(payment)


def _nearest(owed: int) -> int:
    return (abs(owed) + UNIT // 2) // UNIT
