"""Which markets there are: from the exchange's lists to the rules of one market."""

import difflib
from collections.abc import Sequence
from typing import Any, Final

from hypermm.errors import ConfigError
from hypermm.hyperliquid.payloads import PerpDex, UniverseMeta, convert
from hypermm.instrument import Instrument

FIRST_BUILDER_DEX: Final = 100_000  # asset ids of builders' markets start above this
BUILDER_DEX_STRIDE: Final = 10_000  # ids of one dex


def find_dex(perp_dexs: Any, name: str) -> tuple[int, str]:
    """Return the index and short name of a builder's dex, asked for by either of its names.

    Parameters
    ----------
    perp_dexs
        The parsed answer to `perpDexs`; entry 0 is the exchange's own.
    name : str
        Short or full name, in any case; empty for the exchange's own.

    Raises
    ------
    ConfigError
        If there is no such dex.
    WireError
        If the answer breaks the exchange's form.
    """
    if not name:
        return 0, ""
    dexs: list[PerpDex | None] = convert(perp_dexs, list[PerpDex | None])
    wanted = name.casefold()
    for i, dex in enumerate(dexs):
        if dex is not None and wanted in (dex.name.casefold(), dex.fullName.casefold()):
            return i, dex.name
    names = ", ".join(dex.name for dex in dexs if dex is not None)
    raise ConfigError(
        f"DexNotFound: there is no dex {name!r}",
        hint=f"choose one of: {names or '(none)'}; hypermm list-dexs tells more of them",
    )


def builder_dexs(perp_dexs: Any) -> list[dict[str, Any]]:
    """Return name, full name, deployer and fee scale of each builder's dex of a `perpDexs` answer.

    Raises WireError if the answer breaks the exchange's form.
    """
    dexs: list[PerpDex | None] = convert(perp_dexs, list[PerpDex | None])
    return [
        {
            "name": dex.name,
            "full_name": dex.fullName,
            "deployer": dex.deployer,
            "fee_scale": dex.deployerFeeScale,
        }
        for dex in dexs
        if dex is not None
    ]


def markets(meta: Any) -> list[str]:
    """Return the markets of a `meta` answer that are not delisted. Raises WireError."""
    checked: UniverseMeta = convert(meta, UniverseMeta)
    return [asset.name for asset in checked.universe if not asset.isDelisted]


def first_asset(dex_index: int) -> int:
    """Return the asset id of the first market of a dex; index 0 is the exchange's own."""
    return FIRST_BUILDER_DEX + BUILDER_DEX_STRIDE * dex_index if dex_index else 0


def instrument(
    meta: Any, coin: str, dex: str = "", dex_index: int = 0, decimals_cap: int | None = None
) -> Instrument:
    """Return the rules of a market.

    Parameters
    ----------
    meta
        The parsed answer to `meta` for this dex.
    coin : str
        The market's name; the prefix of its dex may be left out.
    dex, dex_index
        Short name and position of the builder's dex, see `find_dex`.
    decimals_cap : int, optional
        Operator's cap on price decimals.

    Raises
    ------
    ConfigError
        If the market does not exist or is delisted, or the cap is not possible.
    WireError
        If the answer breaks the exchange's form.
    """
    checked: UniverseMeta = convert(meta, UniverseMeta)
    name = coin if not dex or ":" in coin else f"{dex}:{coin}"
    names = [asset.name for asset in checked.universe]
    if name not in names:
        raise ConfigError(
            f"AssetNotFound: {coin!r} is not a market of {dex or 'the exchange'}",
            hint=_near_names(name, names),
        )
    index = names.index(name)
    asset = checked.universe[index]
    if asset.isDelisted:
        raise ConfigError(f"{name} is delisted", hint="choose another market")
    return Instrument(
        coin=name,
        asset_id=first_asset(dex_index) + index,
        size_decimals=asset.szDecimals,
        decimals_cap=decimals_cap,
        max_leverage=asset.maxLeverage,
        is_isolated_only=bool(asset.onlyIsolated)
        or asset.marginMode in ("strictIsolated", "noCross"),
        dex=dex,
        collateral="USDC" if checked.collateralToken == 0 else f"token {checked.collateralToken}",
    )


def _near_names(name: str, names: Sequence[str]) -> str:
    """Say which markets the operator may have meant."""
    by_fold = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.6)
    if near:
        return "did you mean " + ", ".join(by_fold[fold] for fold in near) + "?"
    return "check the spelling; a market of a builder's dex needs --dex"
