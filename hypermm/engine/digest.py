"""A hash over everything that goes into the engine and comes out: the proof of determinism.

`repr` of a frozen value takes several microseconds, so each class gets a printing rule, made once
from its fields: whole numbers as they are, floats by their shortest exact form.
"""

from enum import Enum
from hashlib import blake2b
from operator import attrgetter
from struct import Struct
from typing import Any

from attrs import fields

from hypermm._core.rows import Rows
from hypermm.messages import Action, Batch

_HEAD = Struct("<qIII")


class _Printer:
    """Prints values of one class: plain fields by a template, tuples of values after them."""

    def __init__(self, cls: Any) -> None:
        plain: list[str] = []
        forms: list[str] = []
        self._nested: list[str] = []
        for one in fields(cls):
            is_class = isinstance(one.type, type)
            if str(one.type).startswith("tuple["):
                self._nested.append(one.name)
            elif is_class and issubclass(one.type, int):  # sides and truth values among them
                plain.append(one.name)
                forms.append("%d")
            elif is_class and issubclass(one.type, Enum):
                plain.append(f"{one.name}._value_")
                forms.append("%s")
            else:
                plain.append(one.name)
                forms.append("%r")
        # A getter of one name returns the value itself, of several a tuple: both print.
        self._get = attrgetter(*plain) if plain else None
        self._template = f"{cls.__name__}({','.join(forms)})"

    def text(self, value: Any) -> str:
        """Print one value."""
        text = self._template % self._get(value) if self._get is not None else self._template
        for name in self._nested:
            text += f"[{';'.join(printed(one) for one in getattr(value, name))}]"
        return text


_PRINTERS: dict[type, _Printer] = {}


def printed(value: Any) -> str:
    """Print a value so that two differ in print if they differ at all."""
    cls = type(value)
    if cls is int:  # an id within a tuple
        return str(value)
    printer = _PRINTERS.get(cls)
    if printer is None:
        if not hasattr(cls, "__attrs_attrs__"):
            return repr(value)
        printer = _PRINTERS[cls] = _Printer(cls)
    return printer.text(value)


class Digest:
    """The running hash."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=32)

    def absorb(self, batch: Batch, actions: tuple[Action, ...], now_ns: int) -> None:
        """Add one step."""
        rows: Rows = batch.rows
        private = batch.private
        count = len(rows)
        update = self._hash.update
        update(_HEAD.pack(now_ns, count, len(private), len(actions)))
        if count:
            update(rows.array.data)
        if private or actions:
            update("\n".join(map(printed, (*private, *actions))).encode())

    def hex(self) -> str:
        """Return the hash of all steps so far."""
        return self._hash.hexdigest()
