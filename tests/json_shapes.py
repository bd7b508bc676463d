"""Compares JSON by what stands where: keys, kinds of values, forms of numbers, order of keys.

It knows no request. Two values are alike if every value of ours could stand where the other has
one; entries of a list are taken together, so that a short list says as much as a long one.
"""

import re

FORMS = (
    ("an address", re.compile(r"0x[0-9a-f]{40}")),
    ("a hash", re.compile(r"0x[0-9a-f]{64}")),
    ("an id", re.compile(r"0x[0-9a-f]{32}")),
    ("a float", re.compile(r"-?(?:0|[1-9][0-9]*)\.(?:0|[0-9]*[1-9])")),
    ("a time", re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+")),
    ("a date", re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")),
)


def form(value):
    """Name what a value is, as far as a client's parser cares."""
    if isinstance(value, str) and "..." not in value:  # shortened by who recorded it
        found = (name for name, pattern in FORMS if pattern.fullmatch(value))
        return next(found, "text")
    return "masked" if isinstance(value, str) else type(value).__name__


def merged(values):
    """Return by key all values that stand there in any of the objects."""
    objects = [value for value in values if isinstance(value, dict)]
    keys = list(dict.fromkeys(key for value in objects for key in value))
    return {key: [value[key] for value in objects if key in value] for key in keys}


class Comparison:
    """Collects what of our values could not have come from the exchange.

    Parameters
    ----------
    optional : set of str
        Keys that are absent where they do not apply.
    nullable : set of str
        Keys whose value may be null.
    maps : set of str
        Keys of objects whose own keys are data.
    is_whole : bool
        Whether the recording shows every key, in the exchange's order.
    """

    def __init__(self, optional, nullable, maps, *, is_whole):
        self._optional, self._nullable, self._maps = optional, nullable, maps
        self._is_whole = is_whole
        self.found = []
        self.compared = 0

    def run(self, ours, theirs, path="", name=""):
        """Compare lists of values that may stand at one place."""
        if not ours:
            self.found.append(f"{path}: nothing of ours to compare")
            return
        kinds, known = {form(value) for value in ours}, {form(value) for value in theirs}
        if name in self._nullable or known == {"NoneType"}:
            kinds.discard("NoneType")
            known.discard("NoneType")
        if known and not kinds <= known and "masked" not in known:
            self.found.append(f"{path}: {sorted(kinds)} instead of {sorted(known)}")
        self.compared += len(kinds & known - {"dict", "list"})
        if name in self._maps:
            ours, theirs = (
                [{"*": entry} for x in side for entry in x.values()] for side in (ours, theirs)
            )
        self._run_objects(ours, theirs, path)
        entries = [entry for value in theirs if isinstance(value, list) for entry in value]
        if entries:
            mine = [entry for value in ours if isinstance(value, list) for entry in value]
            self.run(mine, entries, f"{path}[]", name)

    def _run_objects(self, ours, theirs, path):
        mine, known = merged(ours), merged(theirs)
        if not mine or not known:
            return
        objects = [value for value in theirs if isinstance(value, dict)]
        for key, values in known.items():
            if key in mine:
                self.run(mine[key], values, f"{path}.{key}", key)
            elif self._is_whole and len(values) == len(objects) and key not in self._optional:
                self.found.append(f"{path}.{key} is missing")
        if self._is_whole:
            self.found += [
                f"{path}.{key} is not the exchange's"
                for key in mine
                if key not in known and key not in self._optional
            ]
            for value in ours:
                shared = [key for key in value if key in known] if isinstance(value, dict) else []
                if shared != [key for key in known if key in shared]:
                    self.found.append(f"{path}: keys in another order: {shared}")
                    break


def objects(value):
    """Yield every object inside a value."""
    if isinstance(value, dict):
        yield value
    for entry in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from objects(entry)
