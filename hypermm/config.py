"""Every setting, declared once: type, unit, range, default and effect.

From one declaration come validation, the file that `generate-config` writes, the reference page
and the text of each error. Loading is strict: unknown keys, wrong types and values outside their
range are all reported at once, each with its path and line. No output of this module holds a key.
"""

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, cast, get_args

import cattrs
import tomlkit
from attrs import Attribute, Factory, field, fields, frozen, has
from tomlkit.exceptions import TOMLKitError

from hypermm.errors import ConfigError, redact, shown

MAX_FILE_BYTES = 1 << 20
LOG_LEVELS = ("trace", "debug", "info", "warn", "error")
LOG_FORMATS = ("pretty", "json", "compact")
STRATEGIES = ("symmetric", "inventory_aware", "glft", "ladder")


class _FindingError(ValueError):
    """One thing wrong with a value, worded for the operator."""


def number(
    default: Any, *, low: float, high: float, unit: str = "", doc: str, above_low: bool = False
) -> Any:
    """Declare a number: its range in `unit` (`above_low`: the lower end itself is refused)."""
    bounds = f"{'above ' if above_low else ''}{low:g} to {high:g}{f' {unit}' if unit else ''}"

    def check(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
        if value is None:
            return
        inside = (low < value if above_low else low <= value) and value <= high
        if not inside:  # NaN compares false and lands here
            raise _FindingError(f"{attribute.name} = {shown(value)} is outside its range: {bounds}")

    metadata = {"doc": doc, "unit": unit, "range": bounds, "check": check}
    return field(default=default, validator=check, metadata=metadata)


def choice(
    default: str, options: tuple[str, ...], *, doc: str, pattern: str = "", form: str = ""
) -> Any:
    """Declare a word out of a fixed list, or of a given form besides."""

    def check(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
        if value not in options and not (pattern and re.fullmatch(pattern, value)):
            near = difflib.get_close_matches(str(value), options, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise _FindingError(f"{attribute.name} = {shown(value)} is not one of {listed}{meant}")

    listed = ", ".join(options) + (f", or {form}" if form else "")
    metadata = {"doc": doc, "unit": "", "range": listed, "check": check}
    return field(default=default, validator=check, metadata=metadata)


def text(default: str, pattern: str, *, doc: str, form: str) -> Any:
    """Declare a text of a given form."""

    def check(_: Any, attribute: "Attribute[Any]", value: Any) -> None:
        if not re.fullmatch(pattern, value):
            raise _FindingError(f"{attribute.name} = {shown(value)} is not {form}")

    metadata = {"doc": doc, "unit": "", "range": form, "check": check}
    return field(default=default, validator=check, metadata=metadata)


def flag(*, default: bool, doc: str) -> Any:
    """Declare a switch."""
    return field(default=default, metadata={"doc": doc, "unit": "", "range": "true or false"})


def _section(kind: type, doc: str) -> Any:
    return field(default=Factory(kind), metadata={"doc": doc})


@frozen(kw_only=True)
class NetworkConfig:
    """Where to trade."""

    base_url: str = text(
        "testnet",
        r"mainnet|testnet|localhost|https?://[A-Za-z0-9.\-\[\]:]+/?",
        doc="Network to trade on: mainnet, testnet, localhost, or the address of an exchange.",
        form="mainnet, testnet, localhost or http(s)://host:port",
    )
    private_key: str | None = field(
        default=None,
        repr=False,
        metadata={
            "doc": "Key of the trading wallet. Prefer the variable HYPERLIQUID_PRIVATE_KEY.",
            "unit": "",
            "range": "64 hex digits",
            "secret": True,
        },
    )


@frozen(kw_only=True)
class TradingConfig:
    """What to trade and how much."""

    asset: str = text(
        "BTC",
        r"[A-Za-z0-9@/:_\-]{1,40}",
        doc="Market to quote.",
        form="the name of a market such as BTC",
    )
    dex: str = text(
        "",
        r"[A-Za-z0-9 ._\-]{0,40}",
        doc="Dex of a builder that lists the market, by short or full name. Empty: the exchange's.",
        form="the name of a dex such as hyna",
    )
    target_liquidity: float | None = number(
        None,
        low=0.0,
        high=1e12,
        unit="base units",
        above_low=True,
        doc="Order size per side, all levels together. Unset: 1,000 USD worth.",
    )
    risk_aversion: float = number(
        0.3,
        low=0.0,
        high=100.0,
        above_low=True,
        doc="Gamma: 0.1 quotes tight and tolerates inventory, 1.0 quotes wide and sheds it.",
    )
    max_bps_diff: float = number(
        5.0,
        low=0.0,
        high=1000.0,
        unit="bps",
        doc="A resting order stays while its price is this close to the wanted one.",
    )
    max_absolute_position_size: float | None = number(
        None,
        low=0.0,
        high=1e12,
        unit="base units",
        above_low=True,
        doc="Position limit, long or short. Unset: 5,000 USD worth.",
    )
    leverage: int | None = number(
        None, low=1, high=100, doc="Leverage of the market. Unset: the most that it allows."
    )
    decimals: int | None = number(
        None, low=0, high=6, doc="Caps price decimals below the exchange's own rule."
    )
    initial_isolated_margin: float = number(
        1000.0,
        low=0.0,
        high=1e9,
        unit="USD",
        doc="Collateral on a builder's dex: moved there at the start, and again when it shrinks.",
    )
    force_isolated: bool = flag(
        default=False, doc="Isolated margin where the market would allow cross."
    )

    @max_absolute_position_size.validator
    def _holds_one_order(self, _: "Attribute[Any]", value: float | None) -> None:
        order = self.target_liquidity
        if value is not None and order is not None and value < order:
            raise _FindingError(
                f"max_absolute_position_size = {value} is smaller than one order "
                f"(target_liquidity = {order})"
            )


@frozen(kw_only=True)
class LadderConfig:
    """Shape of the ladder."""

    num_levels: int = number(5, low=1, high=20, doc="Price levels per side.")
    min_depth_bps: float = number(
        5.0,
        low=0.0,
        high=5000.0,
        unit="bps",
        above_low=True,
        doc="The nearest level is never closer to the fair price than this.",
    )
    max_depth_bps: float = number(
        50.0,
        low=0.0,
        high=9000.0,
        unit="bps",
        above_low=True,
        doc="Distance of the farthest level when the nearest stands at min_depth_bps.",
    )
    geometric_spacing: bool = flag(
        default=True, doc="Levels spaced by a constant ratio (true) or a constant step (false)."
    )

    @max_depth_bps.validator
    def _beyond_the_nearest(self, _: "Attribute[Any]", value: float) -> None:
        if not value > self.min_depth_bps:
            raise _FindingError(
                f"max_depth_bps = {value} bps must be above min_depth_bps = "
                f"{self.min_depth_bps} bps"
            )


@frozen(kw_only=True)
class StrategyConfig:
    """How quotes are found."""

    strategy_type: str = choice(
        "ladder",
        STRATEGIES,
        doc="Rule that turns estimates into quotes.",
        pattern=r"[A-Za-z_][\w.]*:[A-Za-z_]\w*",
        form="module:Class of your own",
    )
    flat_by_utc: str = text(
        "",
        r"(([01]\d|2[0-3]):[0-5]\d)?",
        doc="Time of day by which glft and ladder work the position off, UTC. Empty: never.",
        form="a time of day such as 21:55, or empty",
    )
    estimation_window_secs: float = number(
        300.0,
        low=10.0,
        high=86400.0,
        unit="s",
        doc="Memory of the estimators: older data count less than 1/e.",
    )
    min_trades: int = number(
        50, low=1, high=100000, doc="Trades to see before quoting (falls with warmup_decay_secs)."
    )
    warmup_decay_secs: float = number(
        300.0,
        low=1.0,
        high=86400.0,
        unit="s",
        doc="Time over which the warm-up's demands fall to a fifth.",
    )
    ladder_config: LadderConfig = _section(LadderConfig, "Shape of the ladder.")


def _stream_level(what: str) -> Any:
    return choice("", ("", *LOG_LEVELS), doc=f"Least severity of {what}. Empty: as logging.level.")


@frozen(kw_only=True)
class LogLevelsConfig:
    """Levels of single streams."""

    quotes: str = _stream_level("ladders, orders and their refusals")
    fills: str = _stream_level("fills")
    risk: str = _stream_level("limits, pulls and kills")
    market: str = _stream_level("trades and estimates")
    system: str = _stream_level("everything else")


@frozen(kw_only=True)
class LoggingConfig:
    """What is written."""

    level: str = choice("info", LOG_LEVELS, doc="Least severity that is written.")
    format: str = choice("pretty", LOG_FORMATS, doc="Form of a line.")
    levels: LogLevelsConfig = _section(LogLevelsConfig, "Levels of single streams.")


@frozen(kw_only=True)
class MonitoringConfig:
    """What can be scraped."""

    metrics_port: int = number(
        9090, low=0, high=65535, doc="Port of the Prometheus endpoint; 0 switches it off."
    )
    metrics_host: str = text(
        "127.0.0.1",
        r"[A-Za-z0-9.:\-]{1,253}",
        doc="Address that the endpoint listens on.",
        form="a host name or address",
    )
    enable_http_metrics: bool = flag(default=True, doc="Serve the endpoint at all.")
    metrics_linger_secs: float = number(
        30.0,
        low=0.0,
        high=3600.0,
        unit="s",
        doc="Time that the endpoint is served after a kill, so that an alert can fire.",
    )


@frozen(kw_only=True)
class RiskConfig:
    """Limits that shrink or stop quoting."""

    max_daily_loss_usd: float = number(
        500.0, low=0.0, high=1e9, unit="USD", above_low=True, doc="Loss of the UTC day that halts."
    )
    max_drawdown: float = number(
        0.05,
        low=0.0,
        high=1.0,
        above_low=True,
        doc="Fall from the day's peak, as a fraction of starting equity plus peak, that halts.",
    )
    max_position_value_usd: float = number(
        10000.0,
        low=0.0,
        high=1e12,
        unit="USD",
        above_low=True,
        doc="Position value from which only reducing orders are placed.",
    )
    kill_position_factor: float = number(
        2.0,
        low=1.0,
        high=100.0,
        above_low=True,
        doc="Multiple of max_position_value_usd that halts.",
    )
    # Not shorter than two pushes of the fast book, 0.5 s apart.
    stale_pull_secs: float = number(
        3.0, low=1.0, high=3600.0, unit="s", doc="Age of market data that pulls the quotes."
    )
    stale_kill_secs: float = number(
        5.0, low=1.0, high=7200.0, unit="s", doc="Age of market data that halts."
    )
    cascade_kill: float = number(
        0.95, low=0.0, high=1.0, above_low=True, doc="Severity of a cascade beyond which it halts."
    )
    rate_limit_errors_max: int = number(
        10, low=1, high=10000, doc="Rate-limit refusals in a rolling minute that halt."
    )
    price_collar_bps: float = number(
        500.0,
        low=1.0,
        high=9000.0,
        unit="bps",
        doc="No order is sent farther than this from mark and oracle price.",
    )
    max_order_notional_usd: float = number(
        5000.0, low=10.0, high=1e9, unit="USD", doc="No single order is worth more."
    )
    max_actions_per_minute: int = number(
        300, low=1, high=100000, doc="Placing actions sent in any minute."
    )
    shutdown_deadline_secs: float = number(
        10.0, low=1.0, high=600.0, unit="s", doc="Time in which a stop proves all orders gone."
    )

    @stale_kill_secs.validator
    def _halts_after_pulling(self, _: "Attribute[Any]", value: float) -> None:
        if not value > self.stale_pull_secs:
            raise _FindingError(
                f"stale_kill_secs = {value} s must be above stale_pull_secs = "
                f"{self.stale_pull_secs} s"
            )


@frozen(kw_only=True)
class Config:
    """All settings of one market maker."""

    network: NetworkConfig = _section(NetworkConfig, "Where to trade.")
    trading: TradingConfig = _section(TradingConfig, "What to trade and how much.")
    strategy: StrategyConfig = _section(StrategyConfig, "How quotes are found.")
    logging: LoggingConfig = _section(LoggingConfig, "What is written.")
    monitoring: MonitoringConfig = _section(MonitoringConfig, "What can be scraped.")
    risk: RiskConfig = _section(RiskConfig, "Limits that shrink or stop quoting.")


def settings(kind: type = Config, path: str = "") -> Iterator[tuple[str, "Attribute[Any]"]]:
    """Iterate over every setting as (dotted path, declaration), in file order."""
    for attribute in fields(kind):
        dotted = f"{path}{attribute.name}"
        if has(attribute.type):
            yield from settings(cast("type", attribute.type), f"{dotted}.")
        else:
            yield dotted, attribute


def read_file(path: Path | None) -> dict[str, Any]:
    """Read the tables of a configuration file of at most 1 MiB, unchecked; none without a path.

    Raises
    ------
    ConfigError
        If the file cannot be read or is not TOML.
    """
    return _parse("" if path is None else _read(path), path)


def _parse(source: str, path: Path | None) -> dict[str, Any]:
    try:
        # A byte-order mark is what some editors leave; it says nothing.
        return tomlkit.parse(source.removeprefix("\ufeff")).unwrap()
    except (TOMLKitError, ValueError) as error:  # a number of thousands of digits is the latter
        raise ConfigError(f"{path}: not valid TOML: {redact(str(error))}") from None


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a configuration file strictly and put overrides on top.

    Parameters
    ----------
    path : Path or None
        TOML file of at most 1 MiB; None stands for the defaults.
    overrides : mapping of str to value, optional
        Values by dotted path (`trading.asset`), see `hypermm.layers`.

    Raises
    ------
    ConfigError
        If the file cannot be read or any value is not acceptable; all findings at once.
    """
    source = "" if path is None else _read(path)
    document = _parse(source, path)
    for dotted, value in (overrides or {}).items():
        *sections, key = dotted.split(".")
        table = document
        for name in sections:
            table = table.setdefault(name, {})
        table[key] = value
    findings: list[str] = []
    config = _structure(Config, document, "", findings, source)
    if findings or config is None:
        where = f"{path}: " if path is not None else ""
        listing = "".join(f"\n  {finding}" for finding in findings)
        raise ConfigError(
            f"{where}{len(findings)} setting{'s' * (len(findings) != 1)} not usable:{listing}"
        )
    return cast("Config", config)


def _read(path: Path) -> str:
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise ConfigError(f"{path}: cannot be read: not a plain file")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"Config file not found: {path}",
            hint="write one with: python -m hypermm generate-config",
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes; not a configuration file")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from None


def _structure(
    kind: type, table: Any, path: str, findings: list[str], source: str
) -> object | None:
    """Build one section; what is wrong goes to `findings` and None comes back."""
    if not isinstance(table, Mapping):
        findings.append(f"[{path.rstrip('.')}] must be a table, not {shown(table)}")
        return None
    known = {attribute.name: attribute for attribute in fields(kind)}
    before = len(findings)
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            meant = f"; did you mean {path}{near[0]}?" if near else ""
            line = _line(source, path, name)
            findings.append(f"{line}{path}{redact(str(name))}: unknown key{meant}")
    values = {}
    for name, attribute in known.items():
        if name not in table:
            if has(attribute.type):
                values[name] = cast("type", attribute.type)()
            continue
        if has(attribute.type):
            section = cast("type", attribute.type)
            values[name] = _structure(section, table[name], f"{path}{name}.", findings, source)
            continue
        try:
            values[name] = _strict.structure(table[name], cast("type", attribute.type))
            # Each value alone first, so that every finding is reported; rules between values
            # run when the section is built.
            if "check" in attribute.metadata:
                attribute.metadata["check"](None, attribute, values[name])
        except _FindingError as finding:
            findings.append(f"{_line(source, path, name)}{path}{finding}")
        except TypeError as error:
            value = "set" if attribute.metadata.get("secret") else shown(table[name])
            findings.append(f"{_line(source, path, name)}{path}{name} = {value} {error}")
    if len(findings) > before:
        return None
    try:
        return cast("object", kind(**values))
    except _FindingError as finding:
        # A rule between values: the line of whichever of them the file holds.
        keys = re.findall(r"(\w+) =", str(finding))
        line = next(filter(None, (_line(source, path, key) for key in keys)), "")
        findings.append(f"{line}{path}{finding}")
        return None


def _line(source: str, path: str, name: str) -> str:
    """Find the line of a key in the file, for the error text; empty if it is not there."""
    section = ""
    for count, line in enumerate(source.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            section = header.group(1) + "."
            if section == f"{path}{name}.":
                return f"line {count}: "
        elif section == path and re.match(rf"\s*\"?{re.escape(str(name))}\"?\s*=", line):
            return f"line {count}: "
    return ""


def _to_float(value: Any, _: Any = None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("is not a number")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise TypeError("is not a finite number")
    return number


def _to_int(value: Any, _: Any = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("is not a whole number")
    return value


def _to_bool(value: Any, _: Any = None) -> bool:
    if not isinstance(value, bool):
        raise TypeError("is not true or false")
    return value


def _to_text(value: Any, _: Any = None) -> str:
    if not isinstance(value, str):
        raise TypeError("is not a text in quotes")
    return value


_strict = cattrs.Converter(detailed_validation=False)
_strict.register_structure_hook(float, _to_float)
_strict.register_structure_hook(int, _to_int)
_strict.register_structure_hook(bool, _to_bool)
_strict.register_structure_hook(str, _to_text)
_strict.register_structure_hook_func(
    lambda kind: isinstance(kind, UnionType),
    lambda value, kind: _strict.structure(value, get_args(kind)[0]),
)


def generate() -> str:
    """Write every setting with its default, range and effect, as a TOML file that `load` takes."""
    lines = ["# Settings of hypermm. Each line shows the default; change what you need.", ""]
    section = None
    for dotted, attribute in settings():
        *sections, key = dotted.split(".")
        if sections != section:
            section = sections
            lines += ["", f"[{'.'.join(sections)}]"]
        unit = attribute.metadata["unit"]
        lines.append(f"# {attribute.metadata['doc']}")
        lines.append(f"# Range: {attribute.metadata['range']}.")
        if attribute.default is None:
            shown = '"..."' if attribute.metadata.get("secret") else "..."
            lines.append(f"# {key} = {shown}")
        else:
            value = tomlkit.item(attribute.default).as_string()
            lines.append(f"{key} = {value}{f'  # {unit}' if unit else ''}")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def reference() -> str:
    """Write the reference page of all settings, in Markdown."""
    lines = [
        "# Settings",
        "",
        "Written from the declarations in `hypermm/config.py`; every setting needs a restart.",
        "A setting on the command line stands over the file.",
    ]
    section = None
    for dotted, attribute in settings():
        *sections, key = dotted.split(".")
        if sections != section:
            section = sections
            lines += ["", f"## [{'.'.join(sections)}]", ""]
            lines += ["| key | default | range | effect |", "|---|---|---|---|"]
        default = "" if attribute.default is None else f"`{attribute.default}`"
        metadata = attribute.metadata
        lines.append(f"| `{key}` | {default} | {metadata['range']} | {metadata['doc']} |")
    return "\n".join(lines) + "\n"
