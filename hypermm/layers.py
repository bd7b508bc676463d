"""Where a setting comes from: defaults, the file, the environment, the command line, in this order.

A variable of the environment is named for the setting: `HYPERMM_TRADING_RISK_AVERSION` stands over
`risk_aversion` in `[trading]`. The environment is an argument.
"""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from hypermm import config as configuration
from hypermm.config import Config
from hypermm.errors import ConfigError

PREFIX = "HYPERMM_"
OTHERS = frozenset({"HYPERMM_DATA", "HYPERMM_CHECKED", "HYPERMM_SANITIZE"})  # no settings
_TRUE_FALSE = {"true": True, "false": False}


def variable(dotted: str) -> str:
    """Return the variable of a setting, by its dotted path."""
    return PREFIX + dotted.replace(".", "_").upper()


@frozen
class Layered:
    """Effective settings, and for each dotted path the place that it comes from."""

    config: Config
    sources: Mapping[str, str]


def load(
    path: Path | None, environ: Mapping[str, str], options: Mapping[str, tuple[str, Any]]
) -> Layered:
    """Load the settings from all places.

    Parameters
    ----------
    path : Path or None
        Configuration file.
    environ : mapping of str to str
        The environment.
    options : mapping of str to (str, value)
        By dotted path: the option on the command line and its value.

    Raises
    ------
    ConfigError
        If the file cannot be read, a variable is not of a setting, or a value is not acceptable.
    """
    variables = dict(_from_environ(environ))
    given = {dotted: value for dotted, (_, value) in variables.items()}
    given |= {dotted: value for dotted, (_, value) in options.items()}
    config = configuration.load(path, given)
    sources = dict.fromkeys((dotted for dotted, _ in configuration.settings()), "default")
    sources |= dict.fromkeys(_flat(configuration.read_file(path)), str(path))
    sources |= {dotted: name for dotted, (name, _) in variables.items()}
    sources |= {dotted: name for dotted, (name, _) in options.items()}
    return Layered(config, sources)


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, Any]]]:
    """Read the variables of settings; whatever else begins with the prefix is a mistake."""
    known = {variable(dotted): (dotted, a) for dotted, a in configuration.settings()}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in OTHERS:
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                f"the environment holds {name}, which is no setting",
                hint=f"did you mean {near[0]}?" if near else "unset it",
            )
        dotted, attribute = known[name]
        yield dotted, (name, _value(text, str(attribute.type)))


def _value(text: str, kind: str) -> Any:
    """Read a text as a value of the setting's type; what cannot be read is refused by `load`."""
    if "bool" in kind:
        return _TRUE_FALSE.get(text.strip().lower(), text)
    try:
        if "int" in kind:
            return int(text)
        if "float" in kind:
            return float(text)
    except ValueError:
        pass
    return text


def _flat(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"
