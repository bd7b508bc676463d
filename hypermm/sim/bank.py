"""The venue's own books: fees, shares of others, and the outside world that users trade with.

Every micro-USD and every lot of an account has its opposite here, so that the sums over all books
are zero after each block: `owed` and `lots` are what has to hold.
"""

from collections.abc import Iterable

from attrs import define, field

from hypermm.sim.accounts import Account


@define
class Bank:
    """Money in micro-USD, positions in lots by asset id."""

    fees: int = 0  # what the exchange itself kept
    shares: dict[str, int] = field(factory=dict)  # of builders, deployers and referrers by address
    outside: int = 0  # trades, funding, deposits and withdrawals of the rest of the world
    outside_lots: dict[int, int] = field(factory=dict)

    def trade_outside(self, asset: int, change: int, price: int) -> None:
        """Book the outside world's half of a fill."""
        self.outside -= change * price
        self.outside_lots[asset] = self.outside_lots.get(asset, 0) + change

    def share(self, address: str, amount: int) -> None:
        """Credit a part of a fee."""
        self.shares[address] = self.shares.get(address, 0) + amount

    def imbalance(self, accounts: Iterable[Account]) -> int:
        """Return the sum of all money, which is zero."""
        held = sum(
            account.spot_usdc
            + sum(
                pool.cash + sum(position.raw for position in pool.positions.values())
                for pool in account.pools.values()
            )
            for account in accounts
        )
        return held + self.fees + sum(self.shares.values()) + self.outside

    def lots(self, accounts: Iterable[Account]) -> dict[int, int]:
        """Return the sum of all positions by asset; each is zero."""
        total = dict(self.outside_lots)
        for account in accounts:
            for pool in account.pools.values():
                for asset, position in pool.positions.items():
                    total[asset] = total.get(asset, 0) + position.size
        return total
