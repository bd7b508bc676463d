"""Reads actions, has the desk execute them, and words the replies. Keeps the request budget."""

from collections import ChainMap
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve

from hypermm.hyperliquid.actions import (
    AgentEnableDexAbstractionAction,
    AgentSendAssetAction,
    AgentSetAbstractionAction,
    ApproveAgentAction,
    ApproveBuilderFeeAction,
    BatchModifyAction,
    Builder,
    CancelAction,
    CancelByCloidAction,
    CreateSubAccountAction,
    ExchangeAction,
    ModifyAction,
    ModifyWire,
    NoopAction,
    OrderAction,
    OrderWire,
    Priority,
    ReserveRequestWeightAction,
    ScheduleCancelAction,
    SendAssetAction,
    SetReferrerAction,
    SpotSendAction,
    SubAccountTransferAction,
    TopUpIsolatedOnlyMarginAction,
    TwapCancelAction,
    TwapOrderAction,
    UpdateIsolatedMarginAction,
    UpdateLeverageAction,
    UsdClassTransferAction,
    UsdSendAction,
    UserAction,
    UserDexAbstractionAction,
    UserSetAbstractionAction,
    VaultTransferAction,
    WithdrawAction,
)
from hypermm.sim import refusals, rules, settings
from hypermm.sim.accounts import Account, Accounts
from hypermm.sim.desk import Desk, Status
from hypermm.sim.listing import Listing
from hypermm.sim.orders import VenueOrder
from hypermm.sim.refusals import ActionRefusedError
from hypermm.sim.rules import Rules
from hypermm.sim.tickets import StaticRefusalError, Ticket, read_tickets
from hypermm.sim.transfers import Transfers

Response = dict[str, Any]
DEFAULT: Response = {"type": "default"}


class Clerk:
    """The venue's action window."""

    def __init__(
        self,
        accounts: Accounts,
        listings: dict[int, Listing],
        spot: Listing,
        desk: Desk,
        rules: Rules,
    ) -> None:
        self._accounts = accounts
        self._listings = listings
        self._orderable = ChainMap(listings, {spot.asset: spot})
        self._desk = desk
        self._rules = rules
        self._transfers = transfers = Transfers(accounts, desk)
        self._handlers: dict[type, Callable[[Account, Any], Response]] = {
            OrderAction: self._order,
            CancelAction: self._cancel,
            CancelByCloidAction: self._cancel_by_cloid,
            ModifyAction: self._modify,
            BatchModifyAction: self._batch_modify,
            TwapOrderAction: self._twap_order,
            TwapCancelAction: self._twap_cancel,
            ScheduleCancelAction: self._schedule_cancel,
            UpdateLeverageAction: self._update_leverage,
            UpdateIsolatedMarginAction: self._update_isolated_margin,
            NoopAction: self._noop,
            ApproveAgentAction: self._approve_agent,
            ApproveBuilderFeeAction: self._approve_builder_fee,
            SetReferrerAction: self._set_referrer,
            VaultTransferAction: self._vault_transfer,
            TopUpIsolatedOnlyMarginAction: self._top_up,
            ReserveRequestWeightAction: self._reserve_weight,
            UserSetAbstractionAction: self._user_set_abstraction,
            UserDexAbstractionAction: self._user_dex_abstraction,
            AgentSetAbstractionAction: self._agent_set_abstraction,
            AgentEnableDexAbstractionAction: self._agent_enable_dex_abstraction,
            CreateSubAccountAction: self._create_sub_account,
            UsdSendAction: self._moved(transfers.usd_send),
            WithdrawAction: self._moved(transfers.withdraw),
            UsdClassTransferAction: self._moved(transfers.class_transfer),
            SpotSendAction: self._moved(transfers.spot_send),
            SendAssetAction: self._moved(transfers.send_asset),
            AgentSendAssetAction: self._moved(transfers.send_asset),
            SubAccountTransferAction: self._moved(transfers.sub_account_transfer),
        }

    @staticmethod
    def _moved(move: Callable[[Account, Any], None]) -> Callable[[Account, Any], Response]:
        def answer(account: Account, action: Any) -> Response:
            move(account, action)
            return DEFAULT

        return answer

    # Budget

    def count_request(self, account: Account, action: ExchangeAction, *, is_late: bool) -> None:
        """Charge the address budget. Raises ActionRefusedError when it is spent."""
        match action:
            case OrderAction():
                cost, is_cancel = max(len(action.orders), 1), False
            case CancelAction() | CancelByCloidAction():
                cost, is_cancel = max(len(action.cancels), 1), True
            case BatchModifyAction():
                cost, is_cancel = max(len(action.modifies), 1), False
            case _:
                cost, is_cancel = 1, False
        if is_late:
            cost *= rules.EXPIRED_REQUEST_COST
        cap = account.requests_cap
        most = account.cancels_cap if is_cancel else cap
        used = account.requests + cost
        if used > most:
            now_ms = self._desk.now_ms
            if now_ms - account.over_budget_ms < rules.OVER_BUDGET_PAUSE_MS:
                raise ActionRefusedError(refusals.over_budget(used, cap, account.volume))
            account.over_budget_ms = now_ms
        account.requests = used

    # Dispatch

    def execute(self, account: Account, action: ExchangeAction, nonce: int) -> Response:
        """Execute an admitted action. Raises ActionRefusedError."""
        if isinstance(action, UserAction):
            inner = action.time if hasattr(action, "time") else action.nonce
            if inner != nonce:
                raise ActionRefusedError(refusals.NONCE_MISMATCH)
        handler = self._handlers.get(type(action))
        if handler is None:
            raise ActionRefusedError(refusals.NO_SUCH_ACTION)
        return handler(account, action)

    def _listing(self, asset: int) -> Listing:
        listing = self._listings.get(asset)
        if listing is None:
            raise ActionRefusedError(refusals.unknown_asset(asset))
        return listing

    # Orders

    def _order(self, account: Account, action: OrderAction) -> Response:
        builder = action.builder
        if builder is not None and builder.f > account.builder_fees.get(builder.b.lower(), -1):
            raise ActionRefusedError(refusals.BUILDER_FEE)
        try:
            tickets = self._read(action.orders, action.grouping, action.builder)
        except StaticRefusalError as error:
            return _statuses("order", [{"error": str(error)}])
        desk = self._desk
        match action.grouping:
            case "normalTpsl":
                statuses = desk.triggers.place_family(account, tickets)
            case "positionTpsl":
                statuses = desk.triggers.place_for_position(account, tickets)
            case _:
                statuses = [desk.place(account, ticket) for ticket in tickets]
        return _statuses("order", statuses)

    def _read(
        self,
        orders: Sequence[OrderWire],
        grouping: str | Priority = "na",
        builder: Builder | None = None,
    ) -> list[Ticket]:
        return read_tickets(
            orders,
            self._orderable,
            self._rules,
            grouping=grouping,
            builder=builder,
            is_post_only=self._desk.is_post_only,
        )

    def _cancel(self, account: Account, action: CancelAction) -> Response:
        return _statuses(
            "cancel",
            [
                self._cancel_one(account.find(wire.a, oid=wire.o), wire.a, is_fast=action.f)
                for wire in action.cancels
            ],
        )

    def _cancel_by_cloid(self, account: Account, action: CancelByCloidAction) -> Response:
        return _statuses(
            "cancel",
            [
                self._cancel_one(
                    account.find(wire.asset, cloid=wire.cloid), wire.asset, is_fast=action.f
                )
                for wire in action.cancels
            ],
        )

    def _cancel_one(self, order: VenueOrder | None, asset: int, *, is_fast: bool) -> Status:
        if order is None:
            return {"error": f"{refusals.NEVER_PLACED} asset={asset}"}
        if is_fast and not order.is_resting:
            return {"error": f"{refusals.FAST_CANCEL} asset={asset}"}
        self._desk.cancel(order)
        return "success"

    def _modify(self, account: Account, action: ModifyAction) -> Response:
        wire = ModifyWire(action.oid, action.order)
        response = self._batch_modify(account, BatchModifyAction([wire], action.a))
        status = response["data"]["statuses"][0]
        if isinstance(status, dict) and "error" in status:
            raise ActionRefusedError(status["error"])
        return DEFAULT

    def _batch_modify(self, account: Account, action: BatchModifyAction) -> Response:
        try:
            tickets = self._read([modify.order for modify in action.modifies])
        except StaticRefusalError as error:
            return _statuses("order", [{"error": str(error)}])
        return _statuses(
            "order",
            [
                self._modify_one(account, modify.oid, ticket, always_place=action.a)
                for modify, ticket in zip(action.modifies, tickets, strict=True)
            ],
        )

    def _modify_one(
        self, account: Account, oid: int | str, ticket: Ticket, *, always_place: bool
    ) -> Status:
        """Cancel, then place: the new order has a new id and the last place in its queue."""
        old = account.by_cloid.get(oid) if isinstance(oid, str) else account.orders.get(oid)
        if old is None or not old.is_open:
            if not always_place:
                return {"error": refusals.MODIFY_GONE}
            return self._desk.place(account, ticket)
        listing = ticket.listing
        if old.listing is not listing or old.side is not ticket.side:
            return {"error": refusals.MODIFY_INVALID}
        if not always_place:
            would_take = listing.book.crosses(ticket.side, ticket.price)
            if ticket.tif != "Alo" and (ticket.tif != "Gtc" or would_take):
                return {"error": refusals.MODIFY_INVALID}
            ticket = evolve(ticket, tif="Alo")
        self._desk.cancel(old)
        status = self._desk.place(account, ticket)
        if isinstance(status, dict) and "error" in status:
            return {"error": refusals.modify_failed(str(status["error"]))}
        return status

    # TWAPs

    def _twap_order(self, account: Account, action: TwapOrderAction) -> Response:
        status: Status
        try:
            twap = self._desk.twaps.start(account, action, self._listings, self._rules)
            status = {"running": {"twapId": twap.id}}
        except StaticRefusalError as error:
            status = {"error": str(error)}
        return {"type": "twapOrder", "data": {"status": status}}

    def _twap_cancel(self, account: Account, action: TwapCancelAction) -> Response:
        is_done = self._desk.twaps.cancel(account, action.a, action.t)
        status: Status = "success" if is_done else {"error": refusals.TWAP_GONE}
        return {"type": "twapCancel", "data": {"status": status}}

    # Dead man's switch

    def _schedule_cancel(self, account: Account, action: ScheduleCancelAction) -> Response:
        settings.schedule_cancel(account, action, self._desk.now_ms, self._rules)
        self._accounts.scheduled[account.address] = account
        return DEFAULT

    def fire_scheduled_cancels(self) -> None:
        """Cancel all orders of accounts whose deadline has come."""
        now_ms = self._desk.now_ms
        for address, account in list(self._accounts.scheduled.items()):
            if account.scheduled_cancel_ms is None:
                del self._accounts.scheduled[address]
                continue
            if account.scheduled_cancel_ms > now_ms:
                continue
            del self._accounts.scheduled[address]
            account.scheduled_cancel_ms = None
            day, firings = account.scheduled_cancels
            today = now_ms // rules.DAY_MS
            account.scheduled_cancels = (today, firings + 1 if day == today else 1)
            for order in list(account.orders.values()):
                is_spared = (self._rules.does_schedule_spare_triggers and not order.is_resting) or (
                    self._rules.does_schedule_spare_dexs and order.listing.instrument.dex
                )
                if order.is_open and not is_spared:
                    is_told = self._rules.is_scheduled_cancel_told
                    self._desk.cancel(order, "scheduledCancel", is_told=is_told)

    # Account

    def _update_leverage(self, account: Account, action: UpdateLeverageAction) -> Response:
        settings.update_leverage(account, self._listing(action.asset), action)
        return DEFAULT

    def _update_isolated_margin(
        self, account: Account, action: UpdateIsolatedMarginAction
    ) -> Response:
        settings.update_isolated_margin(account, self._listing(action.asset), action)
        return DEFAULT

    def _noop(self, _account: Account, _action: NoopAction) -> Response:
        return DEFAULT

    def _approve_agent(self, account: Account, action: ApproveAgentAction) -> Response:
        settings.approve_agent(self._accounts, account, action, self._desk.now_ms)
        return DEFAULT

    def _approve_builder_fee(self, account: Account, action: ApproveBuilderFeeAction) -> Response:
        settings.approve_builder_fee(self._accounts, account, action)
        return DEFAULT

    def _set_referrer(self, account: Account, action: SetReferrerAction) -> Response:
        referrer = self._accounts.by_code.get(action.code)
        if referrer is None or referrer is account:
            raise ActionRefusedError(refusals.REFERRAL_UNKNOWN)
        account.referrer = account.referrer or referrer.address
        return DEFAULT

    def _top_up(self, account: Account, action: TopUpIsolatedOnlyMarginAction) -> Response:
        settings.top_up(account, self._listing(action.asset), action)
        return DEFAULT

    def _reserve_weight(self, account: Account, action: ReserveRequestWeightAction) -> Response:
        owner = account
        if action.destination is not None:
            found = self._accounts.get(action.destination)
            if found is None:
                raise ActionRefusedError(refusals.SEND_INVALID)
            owner = found
        cost = action.weight * rules.REQUEST_WEIGHT_PRICE
        if cost > account.pool().withdrawable:
            raise ActionRefusedError(refusals.SEND_BALANCE)
        account.pool().cash -= cost
        self._desk.bank.fees += cost
        owner.reserved_requests += action.weight
        return DEFAULT

    def _user_set_abstraction(self, account: Account, action: UserSetAbstractionAction) -> Response:
        if action.user.lower() != account.address:
            raise ActionRefusedError(refusals.ABSTRACTION)
        settings.set_abstraction(account, action.abstraction)
        return DEFAULT

    def _user_dex_abstraction(self, account: Account, action: UserDexAbstractionAction) -> Response:
        if action.user.lower() != account.address:
            raise ActionRefusedError(refusals.ABSTRACTION)
        settings.set_abstraction(account, "unifiedAccount" if action.enabled else "disabled")
        return DEFAULT

    def _agent_set_abstraction(
        self, account: Account, action: AgentSetAbstractionAction
    ) -> Response:
        words = {"i": "disabled", "u": "unifiedAccount", "p": "portfolioMargin"}
        settings.set_abstraction(account, words[action.abstraction])
        return DEFAULT

    def _agent_enable_dex_abstraction(
        self, account: Account, _action: AgentEnableDexAbstractionAction
    ) -> Response:
        settings.set_abstraction(account, "unifiedAccount")
        return DEFAULT

    def _create_sub_account(self, account: Account, action: CreateSubAccountAction) -> Response:
        address = self._transfers.create_sub_account(account, action)
        return {"type": "createSubAccount", "data": address}

    def _vault_transfer(self, _account: Account, action: VaultTransferAction) -> Response:
        raise ActionRefusedError(refusals.unknown_vault(action.vaultAddress))


def _statuses(kind: str, statuses: list[Status]) -> Response:
    return {"type": kind, "data": {"statuses": statuses}}
