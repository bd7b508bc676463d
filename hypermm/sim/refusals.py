"""Every text with which the venue refuses, and the status word of the order record.

Refusals of single orders and cancels that need the state of the market end in ` asset=N` and
leave a record; those that follow from the request alone do neither.
"""

from attrs import frozen


class ActionRefusedError(Exception):
    """The whole action is refused: `{"status": "err", "response": text}`."""


@frozen
class Refusal:
    """A refusal of one order at run time."""

    text: str
    status: str

    def on(self, asset: int) -> str:
        """Return the text as the exchange prints it for a market."""
        return f"{self.text} asset={asset}"


MIN_VALUE = Refusal("Order must have minimum value of $10.", "minTradeNtlRejected")
SPOT_MIN_VALUE = Refusal("Order must have minimum value of 10 USDC.", MIN_VALUE.status)
MARGIN = Refusal("Insufficient margin to place order.", "perpMarginRejected")
REDUCE_ONLY = Refusal("Reduce only order would increase position.", "reduceOnlyRejected")
NO_MATCH = Refusal(
    "Order could not immediately match against any resting orders.", "iocCancelRejected"
)
TICK = Refusal("Price must be divisible by tick size.", "tickRejected")
TRIGGER_PRICE = Refusal("Invalid TP/SL price.", "badTriggerPxRejected")
NO_LIQUIDITY = Refusal("No liquidity available for market order.", "marketOrderNoLiquidityRejected")
ORACLE = Refusal("Order price too far from oracle", "oracleRejected")
CAP_INCREASE = Refusal(
    "Order would increase open interest while open interest is capped",
    "positionIncreaseAtOpenInterestCapRejected",
)
CAP_FLIP = Refusal(CAP_INCREASE.text, "positionFlipAtOpenInterestCapRejected")
CAP_AGGRESSIVE = Refusal(
    "Order rejected due to price more aggressive than oracle while at open interest cap",
    "tooAggressiveAtOpenInterestCapRejected",
)
INTEREST_GROWTH = Refusal(
    "Order would increase open interest too quickly", "openInterestIncreaseRejected"
)
TIER = Refusal(
    "Order would cause position to exceed margin tier limit at current leverage",
    "perpMaxPositionRejected",
)


def too_many_orders(text: str) -> Refusal:
    """Refuse an order beyond the limit of open ones."""
    return Refusal(text, "tooManyOpenOrdersRejected")


def spot_balance(text: str) -> Refusal:
    """Refuse a spot order that the balance does not cover."""
    return Refusal(text, "insufficientSpotBalanceRejected")


def post_only(bid: str, ask: str) -> Refusal:
    """Refuse a post-only order that would trade; a missing side is printed empty."""
    return Refusal(
        f"Post only order would have immediately matched, bbo was {bid}@{ask}.", "badAloPxRejected"
    )


# Of an order, from the request alone.
ORDERS_EMPTY = "Orders are empty."
INVALID_PRICE = "Order has invalid price."
INVALID_SIZE = "Order has invalid size."
ZERO_SIZE = "Order has zero size."
TRIGGER_COUNT = "Unexpected number of trigger orders"
# The exchange's words for the next three are not known.
TRIGGER_REDUCE_ONLY = "TP/SL orders must be reduce only."
PRIORITY = "Priority fees are for batches of IOC or of post-only orders."
FAST_CANCEL = "Fast cancel is not allowed for trigger orders."
POST_ONLY_WINDOW = "Only post-only orders allowed immediately after network upgrade"
BUILDER_FEE = "Builder fee has not been approved."


def too_far(percent: int) -> str:
    """Refuse a price outside the band."""
    return f"Order price cannot be more than {percent}% away from the reference price"


def unknown_asset(asset: int) -> str:
    """Refuse an asset that is not listed."""
    return f"Unknown asset {asset}."


def too_large(max_usd: int) -> str:
    """Refuse an order above the value limit."""
    return f"Order value too large. Max is ${max_usd}."


# Of a cancel or modify.
NEVER_PLACED = "Order was never placed, already canceled, or filled."
MODIFY_GONE = "Cannot modify canceled or filled order"
MODIFY_INVALID = "Attempted to modify to invalid new order"


def modify_failed(reason: str) -> str:
    """Say that the old order is gone and the new one was refused."""
    return f"Error placing new order during modify: {reason}"


# Of a TWAP.
TWAP_REDUCE_ONLY = "Reduce-only TWAP order would increase position."
TWAP_GONE = "TWAP was never placed, already canceled, or filled."


def twap_duration(minutes: int) -> str:
    """Refuse a TWAP that is too short or too long."""
    return f"Invalid TWAP duration: {minutes} min(s)"


def twap_value(least_usd: int, usd_a_minute: int) -> str:
    """Refuse a TWAP that is worth too little."""
    return f"TWAP order value too small. Min is ${least_usd}, which is ${usd_a_minute} per minute."


# Of a whole action.
EXPIRED = "Action already expired"
NONCE_MISMATCH = "Nonce mismatch."
OTHER_CHAIN = "Mainnet and testnet require different signature."
NO_SIGNER = "Unable to recover signer."
LEVERAGE_VALUE = "Invalid leverage value"
LEVERAGE_TYPE = "Cannot switch leverage type with open position."
LEVERAGE_CROSS = "Cross margin is not allowed for this asset."
LEVERAGE_CROSS_MARGIN = (
    "Cross position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, deposit more collateral."
)
LEVERAGE_ISOLATED_MARGIN = (
    "Isolated position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, add margin to the position."
)
ISOLATED_CROSS = "Position does not use isolated margin."
ISOLATED_EMPTY = "Cannot update margin for empty position."
ISOLATED_ZERO = "Update to isolated margin cannot be zero."
ISOLATED_INCREASE = "Account does not have sufficient margin available for increase."
ISOLATED_REDUCE = "Position does not have sufficient margin for reduction."
SCHEDULE_EARLY = "Scheduled cancel time too early, must be at least 5 seconds from now."
AGENT_USED = "Extra agent already used."
AGENT_COUNT = "Too many extra agents for cumulative volume traded. Current limit is 3"
AGENT_EXPIRED = "Agent valid_until already expired."
AGENT_PENDING = "User has pending agent removal"
AGENT_SEND = "Agent can only send asset to same user or their sub-accounts."
SEND_INVALID = "Invalid send"
SEND_BALANCE = "Insufficient balance for token transfer"
SEND_ZERO = "Send amount cannot be zero"
DEX_INVALID = "Invalid perp DEX"
DECIMAL_INVALID = "Invalid decimal number"
DECIMALS_INVALID = "Invalid number of decimals"
REFERRAL_UNKNOWN = "Referral code not registered"
ABSTRACTION = "Abstraction transition not allowed"
ISOLATED_STRICT = (
    "Cannot remove isolated margin for this asset. To remove margin, reduce the position."
)
NOT_STRICT = "Asset not strict isolated"
BUILDER_BALANCE = "Builder has insufficient balance to be approved."
# The exchange's words for the next one are not known.
SUB_ACCOUNT_INVALID = "Invalid sub-account name"
NO_SUCH_ACTION = "Action is not available on this exchange."


def usd_text(micro: int) -> str:
    """Print dollars and cents as these texts do."""
    return f"${micro // 1_000_000}.{micro % 1_000_000 // 10_000:02d}"


def unknown_wallet(address: str) -> str:
    """Refuse a signer that is neither a user nor an agent."""
    return f"User or API Wallet {address} does not exist."


def must_deposit(address: str) -> str:
    """Refuse a user-signed action of an account without funds."""
    return f"Must deposit before performing actions. User: {address}"


def unknown_vault(address: str) -> str:
    """Refuse to act for an address that is no vault or sub-account of the signer."""
    return f"Vault not registered: {address}"


def unknown_token(token: str) -> str:
    """Refuse to move a token that is not held here."""
    return f"Unknown token {token}"


def sub_account_volume(required: int, traded: int) -> str:
    """Refuse a sub-account to who has traded little."""
    return (
        "Cannot create sub-accounts until enough volume traded. "
        f"Required: ${required // 1_000_000}. Traded: {usd_text(traded)}."
    )


def sub_account_transfer(user: str, other: str) -> str:
    """Refuse to move money to or from somebody else's account."""
    return f"Invalid sub-account transfer from {user} to {other}"


def over_budget(used: int, cap: int, volume: int) -> str:
    """Refuse a request beyond the address budget."""
    return (
        f"Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded "
        f"{usd_text(volume)}. Place taker orders to free up 1 request per USDC traded."
    )


def schedule_volume(required: int, traded: int) -> str:
    """Refuse the dead man's switch to an account of little volume."""
    return (
        "Cannot set scheduled cancel time until enough volume traded. "
        f"Required: ${required // 1_000_000}. Traded: {usd_text(traded)}."
    )
