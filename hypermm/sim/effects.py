"""What faults do that last: to accounts, markets, the clock and the sockets."""

from typing import TYPE_CHECKING

from hypermm.errors import ConfigError
from hypermm.sim.exchange import Exchange
from hypermm.sim.on_demand import Fault, Faults

if TYPE_CHECKING:
    from hypermm.sim.accounts import Account
    from hypermm.sim.hub import Hub


class Effects:
    """Begins and ends the faults that are ordered, block by block."""

    def __init__(self, exchange: Exchange, hub: "Hub", faults: Faults) -> None:
        self._exchange = exchange
        self._hub = hub
        self._faults = faults
        self._spent: dict[Fault, list[tuple[Account, int]]] = {}

    def order(self, fault: Fault) -> None:
        """Take up a fault. Raises ConfigError if it names a market that is not listed."""
        if fault.coin and fault.coin not in self._exchange.by_coin:
            known = ", ".join(self._exchange.by_coin)
            raise ConfigError(f"fault {fault.text!r}: no market {fault.coin!r}", hint=known)
        self._faults.order(fault)

    def move(self, now_ms: int) -> None:
        """Begin and end what is due."""
        if not (self._faults.on or self._faults.waiting):
            return
        begun, ended = self._faults.move(now_ms)
        for fault in begun:
            self._begin(fault)
        for fault in ended:
            self._end(fault)

    def _begin(self, fault: Fault) -> None:
        match fault.kind:
            case "half-open":
                fault.strikes = self._hub.go_half_open()
            case "disconnect":
                fault.strikes = self._hub.cut_all()
            case "budget":
                self._spend_budgets(fault)
            case "skew":
                self._exchange.shift_clock(fault.ms)
                fault.strikes = 1
            case "halt" | "upgrade":
                fault.strikes = 1
                self._set_windows()

    def _end(self, fault: Fault) -> None:
        match fault.kind:
            case "half-open":
                self._hub.cut_half_open()
            case "budget":
                for account, spent in self._spent.pop(fault):
                    account.requests -= spent
            case "skew":
                self._exchange.shift_clock(-fault.ms)
            case "halt" | "upgrade":
                self._set_windows()

    def _set_windows(self) -> None:
        on = self._faults.on
        self._exchange.halt({fault.coin for fault in on if fault.kind == "halt"})
        self._exchange.desk.is_post_only = any(fault.kind == "upgrade" for fault in on)

    def _spend_budgets(self, fault: Fault) -> None:
        accounts = self._exchange.accounts.by_address
        self._spent[fault] = []
        for address, account in accounts.items():
            if fault.user in ("", address):
                # Cancels have a larger budget; that one is spent too.
                left = max(account.cancels_cap - account.requests, 0)
                account.requests += left
                self._spent[fault].append((account, left))
        fault.strikes = len(self._spent[fault])
