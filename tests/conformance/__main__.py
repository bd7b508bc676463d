"""Real clients, unmodified, on the exchange in a box: `python -m tests.conformance [CLIENT...]`.

Each client is installed from its lock into an environment under `build/conformance`, gets an
exchange of its own on loopback, and runs the steps of `steps.json`. A run of all clients writes
`docs/reference/conformance.md`. Exit status: 0 if all that could be installed passed, else 1.
"""

import argparse
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tests.conformance.runner import HERE, Result, play
from tests.conformance.table import write
from tests.processes import ROOT

BUILD = ROOT / "build" / "conformance"
INSTALL_SECS = 1_200.0
# Client -> script in `clients/`, and the package whose version is told.
CLIENTS = {
    "official_sdk": ("official_sdk.py", "hyperliquid-python-sdk"),
    "ccxt_python": ("ccxt_python.py", "ccxt"),
    "nktkas": ("nktkas.mjs", "@nktkas/hyperliquid"),
    "ccxt_js": ("ccxt_js.mjs", "ccxt"),
    "typed_hyperliquid": ("typed.py", "typed-hyperliquid"),
    "freqtrade": ("freqtrade_client.py", "freqtrade"),
    "async_hyperliquid": ("async_client.py", "async-hyperliquid"),
}


def command(*words: str | Path) -> str:
    """Run a command of the installation; return the end of its output if it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_SECS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr or done.stdout)[-500:].strip() or "failed" if done.returncode else ""


def install_python(name: str) -> tuple[list[str | Path], str]:
    """Make a client's environment from its lock; return how to run a script, and what failed."""
    folder, lock = BUILD / name, HERE / "requirements" / f"{name}.txt"
    python = folder / "bin" / "python"
    stamp = folder / "lock.txt"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        venv.create(folder, clear=True, with_pip=True)
        why = command(python, "-m", "pip", "install", "-q", "--require-hashes", "-r", lock)
        if why:
            return [python], why
        stamp.write_bytes(lock.read_bytes())
    return [python], ""


def install_node() -> tuple[list[str | Path], str]:
    """Make the one Node environment from its lock; scripts run as copies beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return [], "node and npm are not on this machine"
    folder = BUILD / "node"
    folder.mkdir(parents=True, exist_ok=True)
    lock, stamp = HERE / "node" / "package-lock.json", folder / "installed.json"
    for source in [HERE / "steps.json", *(HERE / "node").iterdir()]:
        shutil.copy(source, folder)
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        why = command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder)
        if why:
            return [node], why
        stamp.write_bytes(lock.read_bytes())
    return [node], ""


def version(name: str, script: str, package: str) -> str:
    """Read the version that the lock pins."""
    if script.endswith(".mjs"):
        lock = json.loads((HERE / "node" / "package-lock.json").read_text())
        return str(lock["packages"][f"node_modules/{package}"]["version"])
    for line in (HERE / "requirements" / f"{name}.txt").read_text().splitlines():
        if line.startswith(package + "=="):
            return line.split("==")[1].split()[0]
    raise LookupError(package)


def main() -> int:
    """Install and run the clients that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", nargs="*", help=", ".join(CLIENTS))
    names = parser.parse_args().client or list(CLIENTS)
    results: dict[str, Result] = {}
    for name in names:
        script, package = CLIENTS[name]
        is_node = script.endswith(".mjs")
        runs, missing = install_node() if is_node else install_python(name)
        folder = BUILD / "node" if is_node else HERE / "clients"
        result = Result(package, version(name, script, package), missing)
        if not missing:
            play(result, [*runs, folder / script], BUILD / f"{name}-exchange")
        results[name] = result
        print(f"{name}: {result.summary()}", flush=True)
        for step, why in result.failures.items():
            print(f"  {step}: {why}", flush=True)
    if names == list(CLIENTS):
        write(results, ROOT / "docs" / "reference" / "conformance.md")
    return int(any(result.failures for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
