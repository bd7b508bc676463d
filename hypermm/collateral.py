"""Collateral on a builder's dex: moved there before the first order, never to another account.

In standard mode each dex has a balance of its own; what is missing to `initial_isolated_margin` is
taken from the exchange's own dex. A unified account shares one balance and moves nothing.
"""

from typing import Any, Final, Literal

from attrs import frozen

from hypermm.errors import ConfigError
from hypermm.hyperliquid.actions import AgentSendAssetAction, SendAssetAction
from hypermm.hyperliquid.ask import ask
from hypermm.hyperliquid.client import Client
from hypermm.hyperliquid.payloads import ClearinghouseState, convert, parse_json
from hypermm.hyperliquid.signing import Nonces, Signer
from hypermm.instrument import Instrument

USDC = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"
TESTNET_USDC = "USDC:0xeb62eee3685fc4c43992febcd9e75443"
CHAIN_ID = "0x66eee"
# Below this share of what is wanted a run moves more.
TOP_UP_FRACTION: Final = 0.8
SHARED = ("unifiedAccount", "portfolioMargin")


@frozen
class Allocation:
    """What a dex has, what it should have, and what would be moved onto it, in USD."""

    dex: str
    held_usd: float
    wanted_usd: float
    free_usd: float  # that the exchange's own dex could give

    @property
    def is_low(self) -> bool:
        """Whether so much is gone that a run moves more."""
        return self.held_usd < TOP_UP_FRACTION * self.wanted_usd

    @property
    def missing_usd(self) -> float:
        """What has to be moved; 0 if nothing."""
        return max(self.wanted_usd - self.held_usd, 0.0)


async def plan(
    client: Client, account: str, instrument: Instrument, wanted_usd: float
) -> Allocation | None:
    """Find what has to be moved before the market can be traded; None where balances are shared.

    Raises
    ------
    ConfigError
        If the account cannot give what is missing.
    UnreachableError, WireError
        If the exchange does not answer as it should.
    """
    if not instrument.dex:
        return None
    if await ask(client, {"type": "userAbstraction", "user": account}) in SHARED:
        return None
    there = await _state(client, account, instrument.dex)
    here = await _state(client, account, "")
    found = Allocation(
        instrument.dex,
        float(there.marginSummary.accountValue),
        wanted_usd,
        float(here.withdrawable),
    )
    if found.missing_usd > found.free_usd:
        raise ConfigError(
            f"InsufficientMargin: dex {found.dex} holds {found.held_usd:,.2f} of the "
            f"{wanted_usd:,.2f} USD of initial_isolated_margin, and only {found.free_usd:,.2f} USD "
            "can be moved there",
            hint="fund the account, or lower --initial-isolated-margin",
        )
    return found


async def _state(client: Client, account: str, dex: str) -> ClearinghouseState:
    request = {"type": "clearinghouseState", "user": account, **({"dex": dex} if dex else {})}
    state: ClearinghouseState = convert(await ask(client, request), ClearinghouseState)
    return state


async def allocate(
    client: Client,
    signer: Signer,
    nonces: Nonces,
    account: str,
    allocation: Allocation,
    *,
    is_mainnet: bool,
    wall_ms: int,
) -> None:
    """Move what is missing onto the dex. Signed; the destination is the account itself.

    Raises
    ------
    ConfigError
        If the exchange refuses.
    """
    nonce = nonces.next(wall_ms)
    action: SendAssetAction | AgentSendAssetAction
    move: dict[str, Any] = {
        "destination": account,
        "sourceDex": "",
        "destinationDex": allocation.dex,
        "token": USDC if is_mainnet else TESTNET_USDC,
        "amount": f"{allocation.missing_usd:.2f}",
        "fromSubAccount": "",
        "nonce": nonce,
    }
    if signer.address == account:
        chain: Literal["Mainnet", "Testnet"] = "Mainnet" if is_mainnet else "Testnet"
        action = SendAssetAction(signatureChainId=CHAIN_ID, hyperliquidChain=chain, **move)
    else:
        action = AgentSendAssetAction(**move)
    status, body = await client.post("/exchange", signer.sign_move(action, nonce, account))
    reply = parse_json(body) if status == 200 else {}
    if not isinstance(reply, dict) or reply.get("status") != "ok":
        text = reply.get("response") if isinstance(reply, dict) else None
        raise ConfigError(
            f"{allocation.missing_usd:,.2f} USD could not be moved to dex {allocation.dex}: "
            f"{text or f'status {status}'}",
            hint="move it in the exchange's own interface, or check that the key may",
        )
