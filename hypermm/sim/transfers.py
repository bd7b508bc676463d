"""Money that moves without a trade: between users, dexs, spot and sub-accounts, in and out.

Each move is booked on both sides and told as a ledger update. Amounts are decimal texts of at most
six decimals; what an account may send is what it may withdraw from the pool.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from hypermm.errors import WireError
from hypermm.hyperliquid.actions import (
    AgentSendAssetAction,
    CreateSubAccountAction,
    SendAssetAction,
    SpotSendAction,
    SubAccountTransferAction,
    UsdClassTransferAction,
    UsdSendAction,
    WithdrawAction,
    canonical_address,
)
from hypermm.sim import refusals
from hypermm.sim.accounts import Account, Accounts, LedgerUpdate
from hypermm.sim.desk import Desk
from hypermm.sim.refusals import ActionRefusedError
from hypermm.sim.rules import SUB_ACCOUNT_VOLUME, USD, WITHDRAW_FEE
from hypermm.sim.shapes import usd_text

DECIMALS = 6
SPOT = "spot"
TOKENS = ("USDC",)  # spot holds no other
SUB_ACCOUNT_SUFFIX = re.compile(r"(.*) subaccount:(0x[0-9a-fA-F]{40})")
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


class Transfers:
    """The venue's counter for money.

    Parameters
    ----------
    accounts : Accounts
        All users.
    desk : Desk
        Its books, its clock and what users are told.
    """

    def __init__(self, accounts: Accounts, desk: Desk) -> None:
        self._accounts = accounts
        self._desk = desk

    # What users ask for

    def usd_send(self, account: Account, action: UsdSendAction) -> None:
        """Send perp collateral to another user."""
        amount, other = read_amount(action.amount), self._user(action.destination)
        if other is account:
            raise ActionRefusedError(refusals.SEND_INVALID)
        self._take(account, "", amount)
        self._put(other, "", amount)
        delta = {
            "type": "internalTransfer",
            "usdc": usd_text(amount),
            "user": account.address,
            "destination": other.address,
            "fee": "0.0",
        }
        self._tell(account, -amount, delta)
        self._tell(other, amount, delta)

    def withdraw(self, account: Account, action: WithdrawAction) -> None:
        """Send collateral out of the venue, less a fee."""
        amount = read_amount(action.amount)
        if amount <= WITHDRAW_FEE:
            raise ActionRefusedError(refusals.SEND_INVALID)
        self._take(account, "", amount)
        self._desk.bank.outside += amount - WITHDRAW_FEE
        self._desk.bank.fees += WITHDRAW_FEE
        delta = {
            "type": "withdraw",
            "usdc": usd_text(amount - WITHDRAW_FEE),
            "nonce": action.time,
            "fee": usd_text(WITHDRAW_FEE),
        }
        self._tell(account, -amount, delta)

    def class_transfer(self, account: Account, action: UsdClassTransferAction) -> None:
        """Move USDC between spot and perp collateral, of the user or of a sub-account."""
        text = action.amount
        found = SUB_ACCOUNT_SUFFIX.fullmatch(text)
        if found:
            text, account = found[1], self._sub_account(account, found[2])
        amount = read_amount(text)
        source, target = (SPOT, "") if action.toPerp else ("", SPOT)
        self._take(account, source, amount)
        self._put(account, target, amount)
        delta = {
            "type": "accountClassTransfer", "usdc": usd_text(amount), "toPerp": action.toPerp,
        }  # fmt: skip
        self._tell(account, 0, delta)

    def spot_send(self, account: Account, action: SpotSendAction) -> None:
        """Send spot USDC to another user."""
        self._check_token(action.token)
        amount, other = read_amount(action.amount), self._user(action.destination)
        if other is account:
            raise ActionRefusedError(refusals.SEND_INVALID)
        self._take(account, SPOT, amount)
        self._put(other, SPOT, amount)
        delta = {
            "type": "spotTransfer",
            "token": "USDC",
            "amount": usd_text(amount),
            "usdcValue": usd_text(amount),
            "user": account.address,
            "destination": other.address,
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": action.time,
            "feeToken": "",
        }
        self._tell(account, -amount, delta)
        self._tell(other, amount, delta)

    def send_asset(self, account: Account, action: SendAssetAction | AgentSendAssetAction) -> None:
        """Move USDC between dexs, spot and users; an agent only inside one user."""
        self._check_token(action.token)
        other = self._user(action.destination)
        if action.fromSubAccount:
            account = self._sub_account(account, action.fromSubAccount)
        is_own = other in (account, account.master) or other.master in (
            account, account.master or account,
        )  # fmt: skip
        if isinstance(action, AgentSendAssetAction) and not is_own:
            raise ActionRefusedError(refusals.AGENT_SEND)
        for dex in (action.sourceDex, action.destinationDex):
            if dex != SPOT and dex not in self._desk.dexs:
                raise ActionRefusedError(refusals.DEX_INVALID)
        if other is account and action.sourceDex == action.destinationDex:
            raise ActionRefusedError(refusals.SEND_INVALID)
        amount = read_amount(action.amount)
        if action.destinationDex not in ("", SPOT):
            most = self._desk.dexs[action.destinationDex].transfer_usd_max * USD
            if amount > most:
                raise ActionRefusedError(refusals.SEND_INVALID)
        self._take(account, action.sourceDex, amount)
        self._put(other, action.destinationDex, amount)
        delta = {
            "type": "send",
            "user": account.address,
            "destination": other.address,
            "sourceDex": action.sourceDex,
            "destinationDex": action.destinationDex,
            "token": "USDC",
            "amount": usd_text(amount),
            "usdcValue": usd_text(amount),
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": action.nonce,
            "feeToken": "",
        }
        if other is account:
            self._tell(account, 0, delta)
        else:
            self._tell(account, -amount, delta)
            self._tell(other, amount, delta)

    def create_sub_account(self, account: Account, action: CreateSubAccountAction) -> str:
        """Open an account that its master's key signs for; return its address."""
        if account.volume < SUB_ACCOUNT_VOLUME:
            raise ActionRefusedError(
                refusals.sub_account_volume(SUB_ACCOUNT_VOLUME, account.volume)
            )
        if account.master is not None or not action.name or len(action.name) > 16:
            raise ActionRefusedError(refusals.SUB_ACCOUNT_INVALID)
        address = "0x" + self._desk.ids.hash()[-40:]
        sub = self._accounts.open(address)
        sub.master = account
        account.sub_accounts[address] = action.name
        return address

    def sub_account_transfer(self, account: Account, action: SubAccountTransferAction) -> None:
        """Move collateral between a master and his sub-account."""
        sub = self._accounts.get(action.subAccountUser)
        if sub is None or sub.master is not account:
            raise ActionRefusedError(
                refusals.sub_account_transfer(account.address, action.subAccountUser.lower())
            )
        source, target = (account, sub) if action.isDeposit else (sub, account)
        if action.usd <= 0:
            raise ActionRefusedError(refusals.SEND_ZERO)
        self._take(source, "", action.usd)
        self._put(target, "", action.usd)
        delta = {
            "type": "subAccountTransfer",
            "usdc": usd_text(action.usd),
            "user": source.address,
            "destination": target.address,
        }
        self._tell(source, -action.usd, delta)
        self._tell(target, action.usd, delta)

    # Both sides of a move

    def _take(self, account: Account, place: str, amount: int) -> None:
        pool = account.pool("" if place == SPOT else place)
        has = account.spot_usdc if place == SPOT else pool.withdrawable
        if amount > has:
            raise ActionRefusedError(refusals.SEND_BALANCE)
        if place == SPOT:
            account.spot_usdc -= amount
        else:
            pool.cash -= amount

    def _put(self, account: Account, place: str, amount: int) -> None:
        if place == SPOT:
            account.spot_usdc += amount
        else:
            account.pool(place).cash += amount

    def _tell(self, account: Account, amount: int, delta: Mapping[str, object]) -> None:
        desk = self._desk
        update = LedgerUpdate(desk.now_ms, desk.action_hash, amount, delta)
        account.ledger.append(update)
        desk.news_of(account).ledger.append(update)

    def _user(self, address: str) -> Account:
        try:
            return self._accounts.open(canonical_address(address))
        except WireError:
            raise ActionRefusedError(refusals.SEND_INVALID) from None

    def _sub_account(self, account: Account, address: str) -> Account:
        sub = self._accounts.get(address)
        if sub is None or sub.master is not account:
            raise ActionRefusedError(refusals.SEND_INVALID)
        return sub

    @staticmethod
    def _check_token(token: str) -> None:
        if token.partition(":")[0] not in TOKENS:
            raise ActionRefusedError(refusals.unknown_token(token))


def read_amount(text: str) -> int:
    """Read an amount in micro-USD. Raises ActionRefusedError."""
    if not _DECIMAL.fullmatch(text):
        raise ActionRefusedError(refusals.DECIMAL_INVALID)
    amount = Decimal(text) * USD
    if amount != int(amount):
        raise ActionRefusedError(refusals.DECIMALS_INVALID)
    if amount == 0:
        raise ActionRefusedError(refusals.SEND_ZERO)
    return int(amount)
