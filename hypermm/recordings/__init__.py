"""Recorded markets on disk, read into one time-ordered array of rows for each coin.

Numbers go from decimal text to integers exactly: no float stands between. What a recording may
get wrong (repeats, steps back, crossed books, half-written files) is dropped and counted, or
refused with the file, the line and what was expected.
"""

from hypermm.recordings.opening import open_recordings
from hypermm.recordings.values import SILENCE_SECS, Recording, describe_dropped, pieces

__all__ = ["SILENCE_SECS", "Recording", "describe_dropped", "open_recordings", "pieces"]
