"""Where a command acts: the network, what is kept of it on disk, the key, the market."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from hypermm import telemetry
from hypermm.config import Config
from hypermm.credentials import Credential, find_key
from hypermm.errors import ConfigError
from hypermm.hyperliquid import universe
from hypermm.hyperliquid.ask import ask
from hypermm.hyperliquid.client import NETWORKS, Client, base_url, is_mainnet
from hypermm.hyperliquid.signing import parse_key
from hypermm.instrument import Instrument
from hypermm.journal import LocalState, StateDirectory, state_root
from hypermm.messages import Level, Notice
from hypermm.runner import wall_ms

LOCALHOST = "localhost"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Place:
    """The network of a run: its address, its name on disk, its state.

    Parameters
    ----------
    config : Config
        Its `network` section counts.
    environ : mapping of str to str
        Where the state directory is found.
    """

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self.url = base_url(config.network.base_url)
        self._root = state_root(environ)
        # However the address is written, one exchange has one latch, one lock and one nonce.
        parts = urlsplit(self.url)
        host = "localhost" if parts.hostname in LOOPBACK else str(parts.hostname)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        named = {url: name for name, url in NETWORKS.items()}
        self.name = named.get(f"{parts.scheme}://{host}:{port}".removesuffix(":443"), "")
        self.name = self.name or f"{host}_{port}".replace(":", "-")
        self.local = LocalState(self._root) if config.network.base_url == LOCALHOST else None

    @property
    def is_mainnet(self) -> bool:
        """Whether real money is traded there."""
        return is_mainnet(self.url)

    def has_state(self, account: str) -> bool:
        """Whether anything is kept of an account there."""
        return (self._root / self.name / account.lower()).is_dir()

    def state(self, account: str) -> StateDirectory:
        """Return the state of an account there."""
        return StateDirectory(self._root, self.name, account)


def find_private_key(
    config: Config,
    config_path: Path | None,
    argument: str | None,
    environ: Mapping[str, str],
    where: Place,
    *,
    accepts_risk: bool,
) -> bytes:
    """Find and check the key of the trading wallet; it is never shown.

    Raises
    ------
    ConfigError
        If there is none, it is no key, or on mainnet it lies where others may see it.
    """
    found = find_key(
        argument=argument,
        environ=environ,
        folder=Path.cwd(),
        file=config_path,
        file_key=config.network.private_key,
    )
    if found is None and where.local is not None:
        found = Credential(where.local.key(wall_ms()), "the state directory", is_exposed=False)
    if found is None:
        raise ConfigError(
            "Private key not set",
            hint="export HYPERLIQUID_PRIVATE_KEY=..., or write it to a file .env of mode 600, or "
            "to [network] private_key of the configuration file;\n     or trade on an exchange of "
            "your own, which needs none: python -m hypermm run --network localhost",
        )
    if found.is_exposed and where.is_mainnet and not accepts_risk:
        raise ConfigError(
            f"the key of a mainnet account comes from {found.source}, where others may see it",
            hint="use the variable HYPERLIQUID_PRIVATE_KEY, or add --accept-key-risk",
        )
    if found.is_exposed:
        fields = {"source": found.source}
        telemetry.write(Notice(Level.WARN, "Others may be able to see the private key", fields))
    return parse_key(found.text)


async def find_market(client: Client, config: Config) -> Instrument:
    """Read the rules of the market that the settings name.

    Raises
    ------
    ConfigError
        If there is no such dex or market.
    UnreachableError
        If the exchange does not answer.
    """
    trading = config.trading
    dex, index = "", 0
    if trading.dex:
        index, dex = universe.find_dex(await ask(client, {"type": "perpDexs"}), trading.dex)
    meta = await ask(client, {"type": "meta", "dex": dex} if dex else {"type": "meta"})
    found = universe.instrument(meta, trading.asset, dex, index, trading.decimals)
    return attrs.evolve(found, is_isolated_only=True) if trading.force_isolated else found
