"""The pages of procedures: every command that they show is run, in their order, and ends well."""

import re
import shlex
import subprocess
import sys

import pytest
from processes import KEY, ROOT, Desk

PAGES = ROOT / "docs" / "how-to"
BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
RUN_AS_THEY_STAND = (
    "kill-switch.md", "orphaned-orders.md", "position-stuck.md", "exchange-trouble.md",
    "troubleshooting.md", "builders-dex.md",
)  # fmt: skip


def commands(page: str) -> list[str]:
    """The lines of the shell blocks of a page."""
    blocks = BLOCK.findall((PAGES / page).read_text())
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture
def desk(tmp_path):
    """An exchange on which a market maker was killed by its loss limit, its log beside it."""
    desk = Desk(tmp_path)
    desk.exchange("--speed", "10", "--limit", "ip-weight=off", "--dex", "hyna")
    yield desk
    desk.close()


def run(desk: Desk, line: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(line)
    if words[:3] == ["python", "-m", "hypermm"]:
        words[0] = sys.executable
        if "logs" not in words:
            words += ["--network", desk.url]
    environ = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(desk.folder / "state"),
        "HYPERLIQUID_PRIVATE_KEY": KEY,
        "HYPERMM_MONITORING_METRICS_PORT": "0",
        "HYPERMM_STRATEGY_MIN_TRADES": "5",
        "HYPERMM_STRATEGY_WARMUP_DECAY_SECS": "1",
    }
    return subprocess.run(
        words, capture_output=True, text=True, cwd=desk.folder, env=environ, timeout=100,
        check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_AS_THEY_STAND)
def test_the_commands_of_a_page_do_what_it_says(desk, page):
    """An operator under stress copies them; each has to work after the one before it."""
    died = desk.start(
        "run", "--network", desk.url, "--log-file", "mm.log", "--metrics-port", "0",
        HYPERLIQUID_PRIVATE_KEY=KEY, HYPERMM_STRATEGY_MIN_TRADES="5",
        HYPERMM_RISK_MAX_DAILY_LOSS_USD="0.001" if page == "kill-switch.md" else "500",
    )  # fmt: skip
    if page == "kill-switch.md":
        assert died.wait() == 10, died.output()
    else:
        assert desk.wait_until(desk.open_orders, 60)
        died.kill()  # leaves its orders behind

    lines = commands(page)
    assert lines
    for line in lines:
        done = run(desk, line)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    if page not in ("troubleshooting.md", "builders-dex.md"):
        assert desk.open_orders() == []
