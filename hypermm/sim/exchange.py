"""The venue in memory: requests wait for the next block, blocks move markets and accounts.

No clock and no I/O: `advance` is told how late it is. The same markets, seed and submissions give
the same blocks. Everything that happens in a block carries the block's time. Work inside a block
stands in the order of the exchange's priority rule: actions that send no taking order, cancels,
the outside market's events, actions that send one.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen

from hypermm._core.rows import CONTEXT, FORCED, LAST, LEVEL, QUOTE, ROW_DTYPE, TRADE, Rows
from hypermm.hyperliquid.actions import (
    BatchModifyAction,
    CancelAction,
    CancelByCloidAction,
    ExchangeAction,
    ModifyAction,
    OrderAction,
    OrderWire,
    Priority,
    UserAction,
)
from hypermm.instrument import Instrument
from hypermm.messages import Side
from hypermm.sim import about_spot, api, fees, refusals, rules
from hypermm.sim.accounts import NEVER_MS, Account, Accounts, Agent, LedgerUpdate
from hypermm.sim.clerk import Clerk
from hypermm.sim.desk import Desk
from hypermm.sim.dexs import Dex, known_dex
from hypermm.sim.funding import Funding
from hypermm.sim.liquidation import BACKSTOP, Liquidator
from hypermm.sim.listing import SPOT_ASSET, Listing, RowValues
from hypermm.sim.market import Market, SilentMarket
from hypermm.sim.orders import NO_HASH, Ids, Trade, UserNews
from hypermm.sim.refusals import ActionRefusedError
from hypermm.sim.rules import DAY_MS, Rules
from hypermm.sim.samples import MINUTE_MS
from hypermm.sim.settlement import settle
from hypermm.sim.shapes import usd_text

NS_PER_MS = 1_000_000
FIRST_BUILDER_ASSET = 110_000
ASSETS_PER_DEX = 10_000


@frozen
class Block:
    """What one block brought.

    Attributes
    ----------
    time_ms : int
        The one time of everything in it.
    replies : tuple of (ticket, payload)
        Bodies of `/exchange`, in the order of execution.
    news : dict
        What users are told, by address.
    rows : dict
        Public market data by coin; what did not change is absent.
    trades : dict
        Trades of the block by coin, with what the feed shows beyond the rows.
    """

    time_ms: int
    replies: tuple[tuple[int, dict[str, Any]], ...] = ()
    news: dict[str, UserNews] = field(factory=dict)
    rows: dict[str, Rows] = field(factory=dict)
    trades: dict[str, tuple[Trade, ...]] = field(factory=dict)


@frozen
class _Submission:
    """An action on its way into a block."""

    ticket: int
    signer: str
    action: ExchangeAction
    nonce: int
    vault: str | None
    expires_after_ms: int | None


class Exchange:
    """A venue with its markets, accounts and rules.

    Parameters
    ----------
    markets : sequence of Market
        What is listed; the position is the asset id (of builders' dexs within their range).
    start_ms : int
        Time (ms since 1970) at which the markets start.
    seed : int
        Seed of order ids, trade ids and hashes.
    block_ms : int or None
        Time from block to block; None for that of `rules`.
    rules : Rules
        Where this venue differs from the real one.
    dexs : sequence of Dex
        What builders' dexs charge and cap; of one that only a market names, what is known of it.
    """

    def __init__(
        self,
        markets: Sequence[Market],
        *,
        start_ms: int,
        seed: int = 0,
        block_ms: int | None = None,
        rules: Rules | None = None,
        dexs: Sequence[Dex] = (),
    ) -> None:
        self.rules = rules or Rules()
        self.block_ms = block_ms or self.rules.block_ms
        self.start_ms = start_ms
        self.now_ms = start_ms
        self.accounts = Accounts(self.rules)
        self._ids = Ids(seed)
        self.desk = Desk(self._ids, self.rules, self.accounts.open(BACKSTOP))
        self.bank = self.desk.bank
        self.desk.dexs |= {dex.name: dex for dex in dexs}
        self.dexs: list[str] = list(self.desk.dexs)
        self.listings: dict[int, Listing] = {}
        for market in markets:
            self._list(market)
        self.by_coin = {listing.coin: listing for listing in self.listings.values()}
        spot = Instrument(coin=about_spot.PAIR, asset_id=SPOT_ASSET, size_decimals=0)
        pair = Listing(SilentMarket(spot), SPOT_ASSET, start_ms, self.rules)
        self._clerk = Clerk(self.accounts, self.listings, pair, self.desk, self.rules)
        self._funding = Funding(self.desk, self.listings.values(), start_ms)
        self._liquidator = Liquidator(self.desk)
        self._halted: frozenset[str] = frozenset()
        self._queue: list[_Submission] = []
        self._tickets = 0
        self._day = start_ms // DAY_MS
        self._ahead_ms = 0  # of the clock, before the right time
        self._losing_ms = 0  # what the clock has to fall back by
        self._sample_ms = start_ms  # when accounts are next noted for `portfolio`
        self.desk.now_ms = start_ms
        for listing in self.listings.values():  # so that margin has a mark from the first order on
            self._play(listing)
            listing.update_oracle()
            listing.new_trades.clear()

    def _list(self, market: Market) -> None:
        dex = market.instrument.dex
        if dex not in self.dexs:
            self.dexs.append(dex)
            self.desk.dexs[dex] = known_dex(dex)
        number = self.dexs.index(dex)
        first = FIRST_BUILDER_ASSET + ASSETS_PER_DEX * (number - 1) if number else 0
        asset = first + sum(x.instrument.dex == dex for x in self.listings.values())
        listing = Listing(market, asset, self.start_ms, self.rules)
        cap_usd = self.desk.dexs[dex].interest_caps_usd.get(listing.coin, 0)
        listing.open_interest_cap = cap_usd * rules.USD
        listing.is_strict = listing.coin in self.desk.dexs[dex].strict_coins
        self.listings[asset] = listing
        for stamp, price, size, tid, _, _, side, _, _ in market.snapshot_trades.array.tolist():
            self.desk.now_ms = self.start_ms + min(stamp // NS_PER_MS, 0)
            self.desk.action_hash = self._ids.hash()
            self.desk.outside_trade(listing, Side(side), price, size, tid)
        listing.new_trades.clear()

    @property
    def is_over(self) -> bool:
        """Whether no market has an event left."""
        return all(listing.market.is_over for listing in self.listings.values())

    # Requests

    def fund(self, address: str, usdc: float, dex: str = "") -> None:
        """Give an account money on a dex; one that is not known is opened."""
        amount = round(usdc * rules.USD)
        account = self.accounts.open(address)
        account.pool(dex).cash += amount
        self.bank.outside -= amount
        delta = {"type": "deposit", "usdc": usd_text(amount)}
        account.ledger.append(LedgerUpdate(self.now_ms, self._ids.hash(), amount, delta))

    def approve_agent(self, address: str, agent: str) -> None:
        """Let another key sign for a funded account, as its unnamed agent, without an end."""
        account = self.accounts.open(address)
        self.accounts.set_agent(account, Agent("", agent.lower(), NEVER_MS))

    def halt(self, coins: Collection[str]) -> None:
        """Stop trading in these markets and open all others, from the next block on."""
        self._halted = frozenset(coins)

    def _apply_halts(self) -> None:
        """Let markets stop and open; a builder's is settled as it stops."""
        for listing in self.listings.values():
            was_halted, listing.is_halted = listing.is_halted, listing.coin in self._halted
            if listing.is_halted and not was_halted and listing.instrument.dex:
                settle(self.desk, self.accounts.by_address.values(), listing)

    def knows_signer(self, address: str) -> bool:
        """Whether the address is a user or an agent of one."""
        return self.accounts.acting(address, self.now_ms) is not None

    def submit(
        self,
        signer_address: str,
        action: ExchangeAction,
        nonce: int,
        *,
        vault: str | None = None,
        expires_after_ms: int | None = None,
    ) -> int:
        """Queue an action for the next block; return the ticket that its reply carries.

        Parameters
        ----------
        signer_address : str
            Whose signature the action bears, in lower case with `0x`.
        action : ExchangeAction
            In canonical form.
        nonce : int
            Nonce of the envelope.
        vault, expires_after_ms
            As in the envelope.
        """
        self._tickets += 1
        self._queue.append(
            _Submission(
                self._tickets, signer_address.lower(), action, nonce, vault, expires_after_ms
            )
        )
        return self._tickets

    def info(self, request: dict[str, Any]) -> Any:
        """Answer a request of `/info`. Raises WireError where the exchange answers 422."""
        return api.answer(self, request)

    # Blocks

    def advance(self, until_ms: int) -> list[Block]:
        """Make all blocks up to a time; return those in which anything happened."""
        blocks = []
        while self.now_ms + self.block_ms <= until_ms:
            block = self._block(self.now_ms + self.block_ms - self._lose_time())
            if block.replies or block.news or block.rows:
                blocks.append(block)
        return blocks

    @property
    def right_ms(self) -> int:
        """The time that a right clock shows."""
        return self.now_ms - self._ahead_ms

    def shift_clock(self, ms: int) -> None:
        """Set the clock forward at once, or back at half speed: time never runs back.

        The markets go on from where they are.
        """
        forward_ms = max(ms - self._losing_ms, 0)
        self._losing_ms = max(self._losing_ms - ms, 0)
        self._ahead_ms += forward_ms
        self.now_ms += forward_ms
        for listing in self.listings.values():
            listing.start_ms += forward_ms

    def _lose_time(self) -> int:
        lost_ms = min(self._losing_ms, self.block_ms // 2)
        if lost_ms:
            self._losing_ms -= lost_ms
            self._ahead_ms -= lost_ms
            for listing in self.listings.values():
                listing.start_ms -= lost_ms
        return lost_ms

    def _block(self, time_ms: int) -> Block:
        self.now_ms = self.desk.now_ms = time_ms
        self.desk.news = {}
        self.desk.action_hash = self._ids.hash()
        self._apply_halts()
        self._clerk.fire_scheduled_cancels()
        replies: list[tuple[int, dict[str, Any]]] = []
        classes: tuple[list[tuple[_Submission, Account]], ...] = ([], [], [])
        queue, self._queue = self._queue, []
        for submission in queue:
            try:
                account = self._admit(submission)
            except ActionRefusedError as error:
                replies.append((submission.ticket, refused(error)))
            else:
                classes[_priority(submission.action)].append((submission, account))
        for waiting in classes[:2]:
            self._execute(waiting, replies)
        for listing in self.listings.values():
            self._play(listing)
            self.desk.enforce_cap(listing)
        self._funding.step(time_ms)
        self._liquidator.step()
        self.desk.triggers.fire()
        self.desk.twaps.fire()
        classes[2].sort(key=lambda waiting: -_priority_fee(waiting[0].action))
        self._execute(classes[2], replies)
        rows: dict[str, Rows] = {}
        trades: dict[str, tuple[Trade, ...]] = {}
        for listing in self.listings.values():
            listing.update_mark()
            values = listing.publish(time_ms)
            if values:
                rows[listing.coin] = Rows(np.array(values, ROW_DTYPE))
            if listing.new_trades:
                trades[listing.coin] = tuple(listing.new_trades)
                listing.new_trades.clear()
        if time_ms // DAY_MS != self._day:
            self._day = time_ms // DAY_MS
            self._set_fees()
        if time_ms >= self._sample_ms:
            self._sample_ms = time_ms + MINUTE_MS
            for account in self.accounts.by_address.values():
                account.samples.add(account.sample(time_ms))
        return Block(time_ms, tuple(replies), self.desk.news, rows, trades)

    def traded_by_day(self) -> dict[int, int]:
        """Return what the whole venue traded, micro-USD by UTC day."""
        total: dict[int, int] = {}
        for listing in self.listings.values():
            before = 0
            for candle in listing.candles:
                day = candle.start_ms // DAY_MS
                total[day] = total.get(day, 0) + candle.notional - before
                before = candle.notional
        return total

    def _set_fees(self) -> None:
        """Set what each user pays today by what he and his sub-accounts traded before."""
        total = self.traded_by_day()
        families: dict[str, list[Account]] = {}
        for account in self.accounts.by_address.values():
            families.setdefault((account.master or account).address, []).append(account)
        for family in families.values():
            own = fees.added(account.day_volume for account in family)
            paid = fees.rates(own, total, self._day, self.rules)
            for account in family:
                account.rates = paid

    def _admit(self, submission: _Submission) -> Account:
        """Decide who acts and spend the nonce, before any business check."""
        signer, action = submission.signer, submission.action
        if isinstance(action, UserAction):
            if self.rules.chain not in ("", action.hyperliquidChain):
                raise ActionRefusedError(refusals.OTHER_CHAIN)
            account = self.accounts.get(signer)
            if account is None:
                raise ActionRefusedError(refusals.must_deposit(signer))
        else:
            account = self.accounts.acting(signer, self.now_ms)
            if account is None:
                raise ActionRefusedError(refusals.unknown_wallet(signer))
        if submission.vault is not None:
            sub = self.accounts.get(submission.vault)
            if sub is None or sub.master is not account or isinstance(action, UserAction):
                raise ActionRefusedError(refusals.unknown_vault(submission.vault))
            account = sub
        self.accounts.nonces(signer).admit(submission.nonce, self.now_ms)
        expires = submission.expires_after_ms
        is_late = expires is not None and expires < self.now_ms
        self._clerk.count_request(account, action, is_late=is_late)
        if is_late:
            raise ActionRefusedError(refusals.EXPIRED)
        return account

    def _execute(
        self,
        waiting: list[tuple[_Submission, Account]],
        replies: list[tuple[int, dict[str, Any]]],
    ) -> None:
        for submission, account in waiting:
            self.desk.action_hash = self._ids.hash()
            try:
                response = self._clerk.execute(account, submission.action, submission.nonce)
            except ActionRefusedError as error:
                payload = refused(error)
            else:
                payload = {"status": "ok", "response": response}
            replies.append((submission.ticket, payload))

    def _play(self, listing: Listing) -> None:
        """Let the outside market's events of the block happen, in their order."""
        until_ns = (self.now_ms - listing.start_ms) * NS_PER_MS
        outside = listing.market.rows_until(until_ns)
        if len(outside) == 0 or listing.is_halted:
            return
        frame: list[RowValues] = []
        for row in outside.array.tolist():
            _, price, size, tid, _, kind, side, index, flags = row
            if kind == TRADE:
                self.desk.action_hash = NO_HASH if flags & FORCED else self._ids.hash()
                self.desk.outside_trade(listing, Side(side), price, size, tid)
            elif kind == CONTEXT:
                listing.show_context(index, price, size)
            else:
                frame.append(row)
                if not flags & LAST:
                    continue
                if kind == LEVEL:
                    listing.show_book(frame)
                elif kind == QUOTE:
                    listing.show_touch(frame)
                frame = []
                self.desk.uncross(listing)
        listing.update_mark()


def refused(error: ActionRefusedError) -> dict[str, Any]:
    """Return the body of a refused action."""
    return {"status": "err", "response": str(error)}


def _priority(action: ExchangeAction) -> int:
    """Return the class of an action in the priority rule of a block."""
    orders: list[OrderWire] = []
    match action:
        case CancelAction() | CancelByCloidAction():
            return 1
        case OrderAction():
            orders = action.orders
        case ModifyAction():
            orders = [action.order]
        case BatchModifyAction():
            orders = [modify.order for modify in action.modifies]
        case _:
            return 0
    is_taking = any(order.t.limit is not None and order.t.limit.tif != "Alo" for order in orders)
    return 2 if is_taking else 0


def _priority_fee(action: ExchangeAction) -> int:
    """Return what an action pays to stand before others of its class, in 1e-8 of its value."""
    if isinstance(action, OrderAction) and isinstance(action.grouping, Priority):
        return action.grouping.p
    return 0
