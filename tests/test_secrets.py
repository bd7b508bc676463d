"""A planted key is looked for in everything that real processes print and write."""

import signal
import urllib.request

import pytest
from processes import ADDRESS, KEY, Desk, free_port

pytestmark = pytest.mark.slow  # real processes

FRAGMENT = b"5eed" * 4  # a part of the key gives it away too


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.close()


def test_hi_04_a_key_in_the_environment_appears_nowhere(desk):
    """HI-04: outputs, logs at their most talkative, metrics, state and view files."""
    port = free_port()
    desk.exchange("--speed", "10")
    run = desk.run(
        "--metrics-port", str(port), "--log-level", "trace", "--log-format", "json",
        "--log-file", "mm.log",
    )  # fmt: skip
    assert desk.wait_until(desk.open_orders, 30), run.output()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert FRAGMENT not in answer.read()
    at = ("--network", desk.url)
    commands = [
        desk.start(name, *at, *options, HYPERLIQUID_PRIVATE_KEY=KEY)
        for name, options in (("status", ("--json",)), ("validate-config", ()), ("cancel-all", ()))
    ]
    for command in commands:
        command.wait()
        assert command.output()
    run.signal(signal.SIGTERM)
    assert run.wait() == 0, run.output()

    files = [path for path in desk.folder.rglob("*") if path.is_file()]
    assert ADDRESS.encode() in b"".join(path.read_bytes() for path in files), "the run was ours"
    assert [path.name for path in files if FRAGMENT in path.read_bytes().lower()] == []
