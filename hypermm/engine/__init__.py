"""The state machine: every event of one wake-up in, one decision out."""

from hypermm.engine.core import Engine
from hypermm.engine.explained import Explanation, LevelView, SideView, Unquoted
from hypermm.engine.modes import MODE_TRANSITIONS, Mode, Signal
from hypermm.engine.sizes import Sizes
from hypermm.engine.snapshot import Counters, Snapshot

__all__ = [
    "MODE_TRANSITIONS",
    "Counters",
    "Engine",
    "Explanation",
    "LevelView",
    "Mode",
    "SideView",
    "Signal",
    "Sizes",
    "Snapshot",
    "Unquoted",
]
