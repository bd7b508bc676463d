"""Actions on an account itself: leverage, margin, dead man's switch, agents, builders."""

import re
from decimal import Decimal

from hypermm.errors import WireError
from hypermm.hyperliquid.actions import (
    ApproveAgentAction,
    ApproveBuilderFeeAction,
    ScheduleCancelAction,
    TopUpIsolatedOnlyMarginAction,
    UpdateIsolatedMarginAction,
    UpdateLeverageAction,
    canonical_address,
)
from hypermm.sim import refusals, rules
from hypermm.sim.accounts import Account, Accounts, Agent
from hypermm.sim.listing import Listing
from hypermm.sim.refusals import ActionRefusedError
from hypermm.sim.rules import Rules

NOBODY = "0x" + 40 * "0"
AGENT_NAME_MAX = 16
VALID_UNTIL = " valid_until "
BUILDER_TENTHS_MAX = 1_000  # one percent, on spot; a perp's order may ask a tenth of it
ABSTRACTIONS = ("default", "disabled", "unifiedAccount", "portfolioMargin")


def update_leverage(account: Account, listing: Listing, action: UpdateLeverageAction) -> None:
    """Set leverage and margin mode of a market. Raises ActionRefusedError."""
    rule, pool = listing.instrument, account.pool_of(listing)
    position = pool.position(listing)
    if not 1 <= action.leverage <= listing.leverage_max(abs(position.value)):
        raise ActionRefusedError(refusals.LEVERAGE_VALUE)
    if action.isCross and rule.is_isolated_only:
        raise ActionRefusedError(refusals.LEVERAGE_CROSS)
    if position.size != 0 and position.is_cross != action.isCross:
        raise ActionRefusedError(refusals.LEVERAGE_TYPE)
    before = position.leverage, position.is_cross
    required = pool.margin_required()
    position.leverage, position.is_cross = action.leverage, action.isCross
    if position.is_cross:
        after = pool.margin_required()
        if after > required and after > pool.cross_value:
            position.leverage, position.is_cross = before
            raise ActionRefusedError(refusals.LEVERAGE_CROSS_MARGIN)
    elif abs(position.value) // action.leverage > max(position.equity, 0):
        position.leverage, position.is_cross = before
        raise ActionRefusedError(refusals.LEVERAGE_ISOLATED_MARGIN)


def update_isolated_margin(
    account: Account, listing: Listing, action: UpdateIsolatedMarginAction
) -> None:
    """Move money between the cross balance and an isolated position. Raises ActionRefusedError."""
    pool, amount = account.pool_of(listing), action.ntli
    position = pool.position(listing)
    if position.is_cross:
        raise ActionRefusedError(refusals.ISOLATED_CROSS)
    if position.size == 0:
        raise ActionRefusedError(refusals.ISOLATED_EMPTY)
    if amount == 0:
        raise ActionRefusedError(refusals.ISOLATED_ZERO)
    if amount < 0 and listing.is_strict:
        raise ActionRefusedError(refusals.ISOLATED_STRICT)
    if amount > max(pool.cross_value - pool.margin_required(), 0):
        raise ActionRefusedError(refusals.ISOLATED_INCREASE)
    needed = max(abs(position.value) // position.leverage, abs(position.value) // 10)
    if amount < 0 and position.equity + amount < needed:
        raise ActionRefusedError(refusals.ISOLATED_REDUCE)
    pool.cash -= amount
    position.raw += amount


def top_up(account: Account, listing: Listing, action: TopUpIsolatedOnlyMarginAction) -> None:
    """Add margin until a position has the wanted leverage. Raises ActionRefusedError."""
    if not listing.is_strict:
        raise ActionRefusedError(refusals.NOT_STRICT)
    pool = account.pool_of(listing)
    position = pool.position(listing)
    if position.size == 0:
        raise ActionRefusedError(refusals.ISOLATED_EMPTY)
    try:
        wanted = Decimal(action.leverage)
    except ArithmeticError:
        raise ActionRefusedError(refusals.LEVERAGE_VALUE) from None
    if not 0 < wanted <= listing.instrument.max_leverage:
        raise ActionRefusedError(refusals.LEVERAGE_VALUE)
    missing = int(abs(position.value) / wanted) - position.equity
    if missing <= 0:
        raise ActionRefusedError(refusals.ISOLATED_ZERO)
    if missing > max(pool.cross_value - pool.margin_required(), 0):
        raise ActionRefusedError(refusals.ISOLATED_INCREASE)
    pool.cash -= missing
    position.raw += missing


def set_abstraction(account: Account, wanted: str) -> None:
    """Choose how an account pools its margin; only while it holds and orders nothing.

    Raises ActionRefusedError.
    """
    if wanted not in ABSTRACTIONS:
        raise ActionRefusedError(refusals.ABSTRACTION)
    if account.orders or not all(pool.is_flat for pool in account.pools.values()):
        raise ActionRefusedError(refusals.ABSTRACTION)
    cash = sum(pool.cash for pool in account.pools.values())
    account.abstraction = wanted
    if account.is_unified:
        account.pools.clear()
        account.pool().cash = cash


def approve_builder_fee(
    accounts: Accounts, account: Account, action: ApproveBuilderFeeAction
) -> None:
    """Let a builder take up to a fee, such as `0.01%`. Raises ActionRefusedError."""
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%", action.maxFeeRate)
    if match is None:
        raise ActionRefusedError(refusals.DECIMAL_INVALID)
    tenths = Decimal(match[1]) * 1_000  # a percent is a thousand tenths of a basis point
    if tenths != int(tenths) or tenths > BUILDER_TENTHS_MAX:
        raise ActionRefusedError(refusals.DECIMALS_INVALID)
    builder = accounts.get(action.builder)
    if builder is None or builder.pool().cross_value < rules.BUILDER_BALANCE:
        raise ActionRefusedError(refusals.BUILDER_BALANCE)
    account.builder_fees[builder.address] = int(tenths)


def schedule_cancel(
    account: Account, action: ScheduleCancelAction, now_ms: int, venue_rules: Rules
) -> None:
    """Set or remove the dead man's switch. Raises ActionRefusedError."""
    required = venue_rules.schedule_cancel_volume
    wrong = []
    if account.volume < required:
        wrong.append(refusals.schedule_volume(required, account.volume))
    if action.time is not None and action.time < now_ms + rules.SCHEDULE_AHEAD_MS:
        wrong.append(refusals.SCHEDULE_EARLY)
    if wrong:
        raise ActionRefusedError(wrong[0 if venue_rules.is_volume_checked_first else -1])
    if action.time is not None:
        day, firings = account.scheduled_cancels
        if day == now_ms // rules.DAY_MS and firings >= rules.SCHEDULED_CANCELS_A_DAY:
            raise ActionRefusedError(venue_rules.schedule_count_text)
    account.scheduled_cancel_ms = action.time


def approve_agent(
    accounts: Accounts, account: Account, action: ApproveAgentAction, now_ms: int
) -> None:
    """Let another key sign for the account, or take that right away. Raises ActionRefusedError."""
    try:
        address = canonical_address(action.agentAddress)
    except WireError:
        raise ActionRefusedError("Invalid agent address.") from None
    name, _, until = (action.agentName or "").partition(VALID_UNTIL)
    name = name[:AGENT_NAME_MAX]
    if now_ms < account.agent_removed_ms + rules.AGENT_REMOVAL_MS:
        raise ActionRefusedError(refusals.AGENT_PENDING)
    if address == NOBODY:
        if name in account.agents:
            account.agent_removed_ms = now_ms
        accounts.drop_agent(account, name)
        return
    until_ms = now_ms + rules.AGENT_LIFE_MS
    if until:
        until_ms = int(until) if until.isascii() and until.isdigit() else 0
        if until_ms <= now_ms:
            raise ActionRefusedError(refusals.AGENT_EXPIRED)
        until_ms = min(until_ms, now_ms + rules.AGENT_LIFE_MAX_MS)
    if accounts.master(address) is not None or accounts.get(address) is not None:
        raise ActionRefusedError(refusals.AGENT_USED)
    named = [agent for agent in account.agents if agent]
    if name and name not in account.agents and len(named) >= rules.NAMED_AGENTS:
        raise ActionRefusedError(refusals.AGENT_COUNT)
    accounts.set_agent(account, Agent(name, address, until_ms))
