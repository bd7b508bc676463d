"""Play an engine's recorded inputs into a new engine, and compare what it does.

The engine has no clock, no randomness and no I/O: the same inputs give the same actions. Where they
do not, the code is not the one that traded, or something is broken.
"""

from pathlib import Path

from attrs import field, frozen

from hypermm import config as configuration
from hypermm.engine import Engine
from hypermm.errors import RecordingError
from hypermm.inputs import print_actions, read_inputs
from hypermm.instrument import Instrument


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


def audit(path: Path | str) -> Audit:
    """Replay a record of inputs and compare the actions, up to the first difference.

    Parameters
    ----------
    path : path
        Written by `--record`.

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
