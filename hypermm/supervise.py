"""What a process supervisor is told: ready, alive, stopping (systemd's notify protocol).

Silent where no supervisor listens. Source: sd_notify(3).
"""

import contextlib
import socket
from collections.abc import Mapping

READY = "READY=1"
ALIVE = "WATCHDOG=1"
STOPPING = "STOPPING=1"


class Supervisor:
    """The supervisor that started this process, if any.

    Parameters
    ----------
    environ : mapping of str to str
        `NOTIFY_SOCKET` names where it listens; a leading `@` stands for Linux's abstract names.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name

    def tell(self, state: str, text: str = "") -> None:
        """Send a state, and a line for people; a supervisor that is gone is no error of ours."""
        if not self._address:
            return
        message = f"{state}\nSTATUS={text}" if text else state
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sent:
            sent.setblocking(False)
            sent.sendto(message.encode(), self._address)
