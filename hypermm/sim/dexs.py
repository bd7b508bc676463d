"""Dexs of builders: who runs them, what they charge, what they cap."""

from attrs import field, frozen

from hypermm.sim.fees import PLAIN, DexFees

NOBODY = "0x" + 40 * "0"


@frozen(kw_only=True)
class Dex:
    """A perp dex; the exchange's own has the empty name.

    Parameters
    ----------
    name, full_name : str
        Short name (2 to 4 characters) and the one for people.
    deployer : str
        Address of who runs it; gets its part of fees.
    fees : DexFees
        Scale and growth mode.
    interest_caps_usd : dict of str to int
        Open-interest cap of single markets, by coin with the dex's prefix.
    interest_cap_usd : int
        Cap of the dex as a whole; 0: none.
    transfer_usd_max : int
        Most that may be moved onto it at once.
    strict_coins : frozenset of str
        Markets whose isolated margin leaves only by closing.
    funding_multipliers : dict of str to str
        By coin, where it is not 1.
    """

    name: str = ""
    full_name: str = ""
    deployer: str = NOBODY
    fees: DexFees = PLAIN
    interest_caps_usd: dict[str, int] = field(factory=dict)
    interest_cap_usd: int = 0
    transfer_usd_max: int = 1_000_000_000
    strict_coins: frozenset[str] = frozenset()
    funding_multipliers: dict[str, str] = field(factory=dict)


# Dexs that operators know by name, with figures of their kind: one that scales fees up and is in
# growth mode, one in the standard way, one with caps.
BUILDERS: dict[str, Dex] = {
    dex.name: dex
    for dex in (
        Dex(
            name="hyna",
            full_name="HyENA",
            deployer="0x" + "53" * 20,
            fees=DexFees(scale=1_000, has_growth_mode=True),
            interest_caps_usd={"hyna:BTC": 25_000_000},
            interest_cap_usd=100_000_000,
        ),
        Dex(
            name="flx",
            full_name="Felix Exchange",
            deployer="0x" + "2f" * 20,
            fees=DexFees(scale=1_000),
            interest_cap_usd=200_000_000,
        ),
        Dex(
            name="xyz",
            full_name="XYZ",
            deployer="0x" + "88" * 20,
            fees=DexFees(scale=1_000, has_growth_mode=True),
            interest_cap_usd=500_000_000,
        ),
    )
}


def known_dex(name: str) -> Dex:
    """Return what is known of a dex, or one that charges as the exchange does."""
    return BUILDERS.get(name) or Dex(name=name, full_name=name)


def short_name(name: str) -> str:
    """Return the short name of a dex that is asked for by either of its names, in any case."""
    folded = name.casefold()
    full = {dex.full_name.casefold(): dex.name for dex in BUILDERS.values()}
    return full.get(folded, folded)
