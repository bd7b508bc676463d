"""Transfers, sub-accounts, builders and the texts that refuse a whole action."""

import pytest

from hypermm.sim.dexs import Dex
from hypermm.sim.rules import USD, Rules
from tests.scripted_market import ALICE, BOB, ScriptedMarket
from tests.sim_desk import ASKS, BIDS, Venue, wire
from tests.test_sim_money import BUILDER_ASSET, check_books, on_dex

STRANGER = "0x" + 40 * "c"
CHAIN = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
HYNA = Dex(name="hyna", full_name="HyENA", strict_coins=frozenset({"hyna:ETH"}))


@pytest.fixture
def venue():
    main = ScriptedMarket()
    main.book(0, BIDS, ASKS)
    return Venue(markets=[main, on_dex()], dexs=[HYNA], funds_dexs=False)


def signed(venue, who, kind, /, **fields):
    """Let a user do what he signs himself; returns the reply."""
    nonce = venue.nonce + 1
    key = "time" if kind in {"usdSend", "spotSend", "withdraw3"} else "nonce"
    return venue.act(who, {"type": kind, **CHAIN, key: nonce, **fields})


def send(venue, **fields):
    whole = {
        "destination": ALICE, "sourceDex": "", "destinationDex": "hyna", "token": "USDC:0x0",
        "amount": "100", "fromSubAccount": "",
    }  # fmt: skip
    return signed(venue, ALICE, "sendAsset", **{**whole, **fields})


def value(venue, user, dex=""):
    state = venue.info("clearinghouseState", user, dex=dex)
    return float(state["marginSummary"]["accountValue"])


def big(venue, user=ALICE):
    venue.exchange.accounts.get(user).volume = 200_000 * USD


def sub_account(venue):
    big(venue)
    reply = venue.act(ALICE, {"type": "createSubAccount", "name": "second"})
    return reply["response"]["data"]


DEFAULT = {"status": "ok", "response": {"type": "default"}}


def test_money_moves_between_users_dexs_and_spot_and_is_told(venue):
    """Both sides see it, and the sums over all books stay zero."""
    assert signed(venue, ALICE, "usdSend", destination=BOB, amount="250.5") == DEFAULT
    assert (value(venue, ALICE), value(venue, BOB)) == (9_749.5, 10_250.5)
    (update,) = venue.events(BOB, "userNonFundingLedgerUpdates")
    assert update["nonFundingLedgerUpdates"][0]["delta"]["type"] == "internalTransfer"

    assert send(venue, amount="1000") == DEFAULT
    assert (value(venue, ALICE), value(venue, ALICE, "hyna")) == (8_749.5, 1_000.0)

    assert signed(venue, ALICE, "usdClassTransfer", amount="49.5", toPerp=False) == DEFAULT
    assert venue.info("spotClearinghouseState", ALICE)["balances"][0]["total"] == "49.5"
    assert (
        signed(venue, ALICE, "spotSend", destination=BOB, token="USDC:0x0", amount="9") == DEFAULT
    )
    assert venue.info("spotClearinghouseState", BOB)["balances"][0]["total"] == "9.0"

    assert signed(venue, ALICE, "withdraw3", destination=ALICE, amount="101") == DEFAULT
    assert value(venue, ALICE) == 8_599.0
    kinds = [
        x["delta"]["type"] for x in venue.info("userNonFundingLedgerUpdates", ALICE, startTime=0)
    ]
    assert kinds == [
        "deposit", "internalTransfer", "send", "accountClassTransfer", "spotTransfer", "withdraw",
    ]  # fmt: skip
    check_books(venue)


def test_an_order_on_a_dex_needs_collateral_there(venue):
    """In standard mode; a unified account has one balance for all."""
    order = wire("B", "2001", "0.1", "Ioc", asset=BUILDER_ASSET)
    assert "Insufficient margin" in venue.place(ALICE, order)[0]["error"]

    send(venue)
    assert "filled" in venue.place(ALICE, order)[0]
    assert (
        signed(venue, BOB, "userSetAbstraction", user=BOB, abstraction="unifiedAccount") == DEFAULT
    )
    assert "filled" in venue.place(BOB, order)[0]
    assert venue.info("userAbstraction", BOB) == "unifiedAccount"
    check_books(venue)


def test_a_sub_account_trades_with_its_masters_key_and_has_books_of_its_own(venue):
    """`vaultAddress` names it; a stranger's key is refused."""
    sub = sub_account(venue)
    assert venue.info("userRole", sub) == {"role": "subAccount", "data": {"master": ALICE}}
    transfer = {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True}
    assert venue.act(ALICE, {**transfer, "usd": 500 * USD}) == DEFAULT

    order = {"type": "order", "orders": [wire("B", "2001", "0.1", "Ioc")], "grouping": "na"}
    reply = venue.act(ALICE, order, vault=sub)
    assert "filled" in reply["response"]["data"]["statuses"][0]
    assert venue.size(sub) == "0.1"
    assert venue.size(ALICE) == "0.0"
    listed = venue.info("subAccounts", ALICE)
    assert [(x["name"], x["subAccountUser"]) for x in listed] == [("second", sub)]
    refused = venue.act(BOB, order, vault=sub)
    assert refused["response"] == f"Vault not registered: {sub}"
    check_books(venue)


def test_a_builder_takes_what_was_approved_on_top(venue):
    """Inside the fee, named beside it, and in his own books."""
    order = {"type": "order", "orders": [wire("B", "2001", "0.1", "Ioc")], "grouping": "na",
             "builder": {"b": BOB, "f": 10}}  # fmt: skip
    assert venue.act(ALICE, order)["response"] == "Builder fee has not been approved."
    approved = signed(venue, ALICE, "approveBuilderFee", maxFeeRate="0.01%", builder=BOB)
    assert approved == DEFAULT
    assert venue.info("maxBuilderFee", ALICE, builder=BOB) == 10

    venue.act(ALICE, order)

    (fill,) = venue.fills(ALICE)
    assert (fill["fee"], fill["builderFee"]) == ("0.110055", "0.02001")
    assert venue.exchange.bank.shares[BOB] == 20_010
    order["builder"]["f"] = 11
    assert venue.act(ALICE, order)["response"] == "Builder fee has not been approved."
    check_books(venue)


def test_a_referred_account_pays_less_and_its_referrer_gets_a_part(venue):
    """Four percent off, a tenth to who brought it."""
    venue.exchange.accounts.by_code["FRIEND"] = venue.exchange.accounts.get(BOB)
    assert venue.act(ALICE, {"type": "setReferrer", "code": "FRIEND"}) == DEFAULT

    venue.place(ALICE, wire("B", "2001", "0.1", "Ioc"))

    (fill,) = venue.fills(ALICE)
    assert fill["fee"] == "0.086443"
    assert venue.exchange.bank.shares[BOB] == 8_644
    check_books(venue)


def test_reserved_requests_are_paid_for(venue):
    """0.0005 USDC each, onto the address's budget."""
    assert venue.act(ALICE, {"type": "reserveRequestWeight", "weight": 2_000}) == DEFAULT
    assert venue.info("userRateLimit", ALICE)["nRequestsCap"] == 12_000
    assert value(venue, ALICE) == 9_999.0
    check_books(venue)


def test_reserved_requests_may_be_for_somebody_else(venue):
    """The sender pays, the other may ask more often; nobody unknown can be given any."""
    action = {"type": "reserveRequestWeight", "weight": 2_000}

    assert venue.act(ALICE, {**action, "destination": BOB}) == DEFAULT
    caps = [venue.info("userRateLimit", user)["nRequestsCap"] for user in (ALICE, BOB)]
    assert caps == [10_000, 12_000]
    assert value(venue, ALICE) == 9_999.0
    refused = venue.act(ALICE, {**action, "destination": STRANGER})
    assert refused["response"] == "Invalid send"
    check_books(venue)


def test_margin_of_a_strict_market_can_be_topped_up_but_not_taken(venue):
    """It leaves only with the position."""
    send(venue, amount="500")
    venue.place(ALICE, wire("B", "2001", "0.1", "Ioc", asset=BUILDER_ASSET))
    top_up = {"type": "topUpIsolatedOnlyMargin", "asset": BUILDER_ASSET, "leverage": "2"}
    assert venue.act(ALICE, top_up) == DEFAULT
    position = venue.info("clearinghouseState", ALICE, dex="hyna")["assetPositions"][0]["position"]
    assert float(position["marginUsed"]) == pytest.approx(100.0, abs=0.1)
    taken = {"type": "updateIsolatedMargin", "asset": BUILDER_ASSET, "isBuy": True, "ntli": -1}
    assert venue.act(ALICE, taken)["response"] == (
        "Cannot remove isolated margin for this asset. To remove margin, reduce the position."
    )
    check_books(venue)


def agent_twice(venue):
    agent = {"agentAddress": "0x" + "a1" * 20, "agentName": "one"}
    signed(venue, ALICE, "approveAgent", **agent)
    signed(venue, ALICE, "approveAgent", agentAddress="0x" + 40 * "0", agentName="one")
    return signed(venue, ALICE, "approveAgent", **agent)


def many_agents(venue):
    for number in range(3):
        signed(venue, ALICE, "approveAgent",
               agentAddress=f"0x{number + 1:040x}", agentName=f"n{number}")  # fmt: skip
    return signed(venue, ALICE, "approveAgent", agentAddress="0x" + "9" * 40, agentName="n9")


def switched(venue):
    venue.place(ALICE, wire("B", "2001", "0.1", "Ioc"))
    return signed(venue, ALICE, "userSetAbstraction", user=ALICE, abstraction="unifiedAccount")


def margin(venue, *, ntli, isolated=True, order=True):
    if isolated:
        venue.act(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 5})
    if order:
        venue.place(ALICE, wire("B", "2001", "0.1", "Ioc"))
    return venue.act(
        ALICE, {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": ntli}
    )


def leverage(venue, *, wanted, is_cross=True, asset=0, before=None):
    if before:
        venue.place(ALICE, before)
    return venue.act(
        ALICE,
        {"type": "updateLeverage", "asset": asset, "isCross": is_cross, "leverage": wanted},
    )


TEXTS = {
    "Invalid send": lambda v: send(v, destinationDex=""),
    "Insufficient balance for token transfer": lambda v: send(v, amount="10001"),
    "Unknown token HYPE:0x1": lambda v: send(v, token="HYPE:0x1"),
    "Invalid perp DEX": lambda v: send(v, destinationDex="nope"),
    "Invalid decimal number": lambda v: send(v, amount="1e3"),
    "Invalid number of decimals": lambda v: send(v, amount="1.0000001"),
    "Send amount cannot be zero": lambda v: send(v, amount="0"),
    "Agent can only send asset to same user or their sub-accounts.": lambda v: v.act(
        ALICE,
        {"type": "agentSendAsset", "destination": BOB, "sourceDex": "", "destinationDex": "hyna",
         "token": "USDC:0x0", "amount": "1", "fromSubAccount": "", "nonce": 1},
    ),
    "Cannot create sub-accounts until enough volume traded. Required: $100000. Traded: $0.00.":
        lambda v: v.act(ALICE, {"type": "createSubAccount", "name": "x"}),
    f"Invalid sub-account transfer from {ALICE} to {BOB}": lambda v: v.act(
        ALICE, {"type": "subAccountTransfer", "subAccountUser": BOB, "isDeposit": True, "usd": 1}
    ),
    f"Vault not registered: {STRANGER}": lambda v: v.act(
        ALICE,
        {"type": "vaultTransfer", "vaultAddress": STRANGER, "isDeposit": True, "usd": 1},
    ),
    "Referral code not registered": lambda v: v.act(ALICE, {"type": "setReferrer", "code": "NO"}),
    "Abstraction transition not allowed": switched,
    "Builder has insufficient balance to be approved.": lambda v: signed(
        v, ALICE, "approveBuilderFee", maxFeeRate="0.01%", builder=STRANGER
    ),
    "User has pending agent removal": agent_twice,
    "Too many extra agents for cumulative volume traded. Current limit is 3": many_agents,
    "Extra agent already used.": lambda v: signed(
        v, ALICE, "approveAgent", agentAddress=BOB, agentName="x"
    ),
    "Agent valid_until already expired.": lambda v: signed(
        v, ALICE, "approveAgent", agentAddress="0x" + "a1" * 20, agentName="x valid_until 5"
    ),
    f"Must deposit before performing actions. User: {STRANGER}": lambda v: signed(
        v, STRANGER, "usdSend", destination=BOB, amount="1"
    ),
    "Nonce mismatch.": lambda v: v.act(
        ALICE, {"type": "usdSend", **CHAIN, "time": 1, "destination": BOB, "amount": "1"}
    ),
    f"User or API Wallet {STRANGER} does not exist.": lambda v: v.act(STRANGER, {"type": "noop"}),
    "Action already expired": lambda v: v.act(ALICE, {"type": "noop"}, expires_after_ms=1),
    "Position does not use isolated margin.": lambda v: margin(v, ntli=1, isolated=False),
    "Cannot update margin for empty position.": lambda v: margin(v, ntli=1, order=False),
    "Update to isolated margin cannot be zero.": lambda v: margin(v, ntli=0),
    "Account does not have sufficient margin available for increase.": lambda v: margin(
        v, ntli=10**11
    ),
    "Position does not have sufficient margin for reduction.": lambda v: margin(v, ntli=-(10**9)),
    "Asset not strict isolated": lambda v: v.act(
        ALICE, {"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": "2"}
    ),
    "Invalid leverage value": lambda v: leverage(v, wanted=26),
    "Cross margin is not allowed for this asset.": lambda v: leverage(
        v, wanted=5, asset=BUILDER_ASSET
    ),
    "Cannot switch leverage type with open position.": lambda v: leverage(
        v, wanted=5, is_cross=False, before=wire("B", "2001", "0.1", "Ioc")
    ),
    "Cross position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, deposit more collateral.": lambda v: leverage(
        v, wanted=1, before=wire("B", "2003", "6", "Ioc")
    ),
    "Isolated position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, add margin to the position.": lambda v: (
        margin(v, ntli=1), leverage(v, wanted=2, is_cross=False)
    )[1],
    "Scheduled cancel time too early, must be at least 5 seconds from now.": lambda v: (
        setattr(v.exchange.accounts.get(ALICE), "volume", 10**13)
        or v.act(ALICE, {"type": "scheduleCancel", "time": v.exchange.now_ms + 10})
    ),
    "Cannot set scheduled cancel time until enough volume traded. "
    "Required: $1000000. Traded: $0.00.": lambda v: v.act(
        ALICE, {"type": "scheduleCancel", "time": v.exchange.now_ms + 10_000}
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_each_refusal_of_a_whole_action_has_its_text(venue, text):
    """Clients match them by prefix; a refused action moves nothing."""
    reply = TEXTS[text](venue)

    assert reply == {"status": "err", "response": text}
    check_books(venue)


def test_an_action_signed_for_the_other_network_is_refused():
    """Where the venue is told which one it is; by default it takes both."""
    venue = Venue(rules=Rules(chain="Mainnet"))

    reply = signed(venue, ALICE, "usdSend", destination=BOB, amount="1")

    text = "Mainnet and testnet require different signature."
    assert reply == {"status": "err", "response": text}
