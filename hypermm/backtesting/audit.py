"""Play an engine's recorded inputs into a new engine, and compare what it does.

The engine has no clock, no randomness and no I/O: the same inputs give the same actions. Where they
do not, the code is not the one that traded, or something is broken.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import asdict, field, frozen

from hypermm import config as configuration
from hypermm.config import Config
from hypermm.engine import Engine
from hypermm.errors import RecordingError
from hypermm.inputs import InputLog, print_actions, read_inputs
from hypermm.instrument import Instrument

SECRET: Final = ".private_key"  # noqa: S105
RULES: Final = (
    "coin", "asset_id", "size_decimals", "decimals_cap", "max_leverage", "is_isolated_only",
    "dex", "collateral",
)  # fmt: skip


@frozen
class Difference:
    """The first step at which the engine did something else."""

    step: int
    now_ns: int
    recorded: str
    now: str


@frozen
class Audit:
    """What a replay of recorded inputs showed."""

    steps: int
    actions: int
    digest: str
    difference: Difference | None = field(default=None)

    def __str__(self) -> str:
        """Print it, a figure a line."""
        lines = [("steps", f"{self.steps}, {self.actions} with actions"), ("digest", self.digest)]
        found = self.difference
        if found is None:
            lines.append(("audit", "every action is the recorded one"))
        else:
            lines += [
                ("audit", f"differs at step {found.step}, {found.now_ns} ns"),
                ("recorded", found.recorded or "nothing"),
                ("now", found.now or "nothing"),
            ]
        return "\n".join(f"{name:<10}{text}" for name, text in lines)


def open_log(
    path: Path, config: Config, instrument: Instrument, made: Mapping[str, Any]
) -> InputLog:
    """Begin the record of an engine.

    Parameters
    ----------
    path : path
        Written over if it exists.
    config, instrument
        As given to the engine. The key is left out.
    made : mapping
        The other arguments of the engine, by name.
    """
    settings = {
        name: value
        for name, value in _flat(asdict(config))
        if value is not None and not name.endswith(SECRET)
    }
    rules = {name: getattr(instrument, name) for name in RULES}
    return InputLog(path, {"config": settings, "instrument": rules, "made": dict(made)})


def _flat(values: Any, head: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found += _flat(value, f"{head}{name}.")
        elif not isinstance(value, dict):
            found.append((head + name, value))
    return found


def audit(path: Path | str) -> Audit:
    """Replay a record of inputs and compare the actions, up to the first difference.

    Parameters
    ----------
    path : path
        Written by `backtest --record`.

    Returns
    -------
    Audit
        The digest, and the first difference if there is one.

    Raises
    ------
    RecordingError
        If the file is no such record.
    """
    path = Path(path)
    header, steps = read_inputs(path)
    try:
        engine = Engine(
            configuration.load(None, header["config"]),
            Instrument(**header["instrument"]),
            **header["made"],
        )
    except (KeyError, TypeError) as error:
        raise RecordingError(f"{path}: the header lacks {error}") from None
    number = acted = 0
    for number, step in enumerate(steps, 1):
        done = print_actions(engine.step(step.batch, step.now_ns))
        acted += bool(done)
        if done != step.actions:
            found = Difference(number, step.now_ns, step.actions, done)
            return Audit(number, acted, engine.digest(), found)
    return Audit(number, acted, engine.digest())
