"""Where the private key comes from. Nothing here prints one, and no error shows a value."""

import stat
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from hypermm.errors import ConfigError

VARIABLE = "HYPERLIQUID_PRIVATE_KEY"


@frozen
class Credential:
    """A key as it was found, unchecked, and the place it came from."""

    text: str = field(repr=False)
    source: str
    is_exposed: bool  # other users of the machine may be able to read it


def find_key(
    *, argument: str | None, environ: Mapping[str, str], folder: Path, file: Path | None,
    file_key: str | None,
) -> Credential | None:  # fmt: skip
    """Look for the key on the command line, in the environment, in `.env` and in the file.

    Raises
    ------
    ConfigError
        If the place that holds it can be read by others, or is not a plain file.
    """
    if argument is not None:
        return Credential(argument, "--private-key", is_exposed=True)
    if environ.get(VARIABLE):
        return Credential(environ[VARIABLE], f"the variable {VARIABLE}", is_exposed=False)
    dotenv = folder / ".env"
    if dotenv.is_file():
        value = _from_dotenv(dotenv)
        if value is not None:
            _check_private(dotenv)
            return Credential(value, str(dotenv), is_exposed=False)
    if file_key is not None and file is not None:
        _check_private(file)
        return Credential(file_key, str(file), is_exposed=True)
    return None


def _from_dotenv(path: Path) -> str | None:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path} cannot be read as text") from None
    for line in lines:
        name, found, value = line.removeprefix("export ").partition("=")
        if found and name.strip() == VARIABLE:
            return value.strip().strip("\"'")
    return None


def _check_private(path: Path) -> None:
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{path} holds a private key and others can read it (mode {stat.S_IMODE(mode):o})",
            hint=f"chmod 600 {path}",
        )
