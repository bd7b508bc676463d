"""What the engine is doing, what the facts call for, and where that leads: as a table."""

from enum import Enum


class Mode(Enum):
    """What the engine is doing."""

    __hash__ = object.__hash__  # members are single objects; `Enum` hashes their names

    SYNCING = "syncing"  # orders, position or fills are not proved
    WARMING = "warming"  # the estimators have seen too little
    QUOTING = "quoting"
    REDUCING = "reducing"  # quoting, but only to make the position smaller
    PULLED = "pulled"  # no quotes until the data are good again
    STOPPING = "stopping"  # on request: cancel, prove, end
    HALTED = "halted"  # by the kill switch: cancel, prove, end
    DONE = "done"


class Signal(Enum):
    """What the facts of a step call for; the first that applies."""

    __hash__ = object.__hash__

    KILL = "kill"
    STOP = "stop"
    FINISH = "finish"  # the last sweep has proved its point, or its time is up
    SYNC = "sync"
    PULL = "pull"
    WARM = "warm"
    REDUCE = "reduce"
    QUOTE = "quote"


ENDING_MODES = frozenset({Mode.STOPPING, Mode.HALTED, Mode.DONE})
_RUNNING = (Mode.SYNCING, Mode.WARMING, Mode.QUOTING, Mode.REDUCING, Mode.PULLED)
_BY_SIGNAL = {
    Signal.KILL: Mode.HALTED,
    Signal.STOP: Mode.STOPPING,
    Signal.SYNC: Mode.SYNCING,
    Signal.PULL: Mode.PULLED,
    Signal.WARM: Mode.WARMING,
    Signal.REDUCE: Mode.REDUCING,
    Signal.QUOTE: Mode.QUOTING,
}
# Only a sweep can finish: FINISH is missing in the running modes, and asserted never to come.
MODE_TRANSITIONS: dict[Mode, dict[Signal, Mode]] = {
    **{mode: dict(_BY_SIGNAL) for mode in _RUNNING},
    Mode.STOPPING: {
        **dict.fromkeys(Signal, Mode.STOPPING),
        Signal.KILL: Mode.HALTED,
        Signal.FINISH: Mode.DONE,
    },
    Mode.HALTED: {**dict.fromkeys(Signal, Mode.HALTED), Signal.FINISH: Mode.DONE},
    Mode.DONE: dict.fromkeys(Signal, Mode.DONE),
}
