"""What is shipped for a desk fits the program. A real Prometheus is used where installed."""

import importlib.util
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from processes import Desk, free_port

from hypermm.metrics import COUNTERS, GAUGES, LABELLED, CounterMetricFamily
from hypermm.supervise import ALIVE, READY, STOPPING, Supervisor

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
RULES = (DEPLOY / "prometheus" / "rules.yml").read_text()
KNOWN = (
    {name for name, _, _ in GAUGES}
    | {f"{name}_total" for name, _, _ in COUNTERS}
    | {"mm_quote_cycle_latency_ms", "mm_action_budget_remaining"}
    | {"mm_quote_cycle_duration_ms_bucket", "mm_step_duration_ms_bucket"}
    | {f"{n}_total" if kind is CounterMetricFamily else n for n, _, _, kind, _ in LABELLED}
)


def dashboard_script():
    spec = importlib.util.spec_from_file_location("dash", ROOT / "scripts" / "make_dashboard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_metric_of_a_rule_is_served():
    """An alert on a name that nobody serves never fires."""
    assert set(re.findall(r"\bmm_\w+", RULES)) <= KNOWN


def test_every_alert_names_a_page_that_exists():
    """Who is woken at night reads on there."""
    pages = re.findall(r"runbook: (\S+)", RULES)
    assert len(pages) == RULES.count("- alert:")
    assert [page for page in pages if not (ROOT / page).is_file()] == []


def test_the_dashboard_is_fresh_and_shows_every_metric():
    """It is generated from the catalogue; a new metric needs a panel."""
    script = dashboard_script()
    text = (DEPLOY / "grafana" / "dashboard.json").read_text()

    assert text == script.text(), "run scripts/make_dashboard.py"
    shown = set(re.findall(r"\bmm_\w+", text))
    assert shown == KNOWN


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")]
)
def test_promtool_accepts_configuration_and_rules(arguments):
    """Each alert fires for its cause, after its time, and not before."""
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_supervisor_hears_ready_alive_and_stopping(tmp_path):
    """systemd's notify protocol: a process that hangs is started anew."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        supervisor = Supervisor({"NOTIFY_SOCKET": str(path)})
        supervisor.tell(READY, "quoting")
        supervisor.tell(ALIVE)
        supervisor.tell(STOPPING)
        assert [heard.recv(100) for _ in range(3)] == [
            b"READY=1\nSTATUS=quoting", b"WATCHDOG=1", b"STOPPING=1",
        ]  # fmt: skip
    supervisor.tell(ALIVE)  # nobody listens any more
    Supervisor({}).tell(ALIVE)


@pytest.mark.slow
def test_a_run_tells_its_supervisor(tmp_path):
    """Ready once the account is known, alive each second, stopping at the end."""
    desk = Desk(tmp_path)
    path = tmp_path / "notify"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.bind(str(path))
            heard.settimeout(30)
            desk.exchange()
            run = desk.start(
                "run", "--network", desk.url, "--duration", "6s", "--metrics-port", "0",
                NOTIFY_SOCKET=str(path), HYPERLIQUID_PRIVATE_KEY="0x" + "5eed" * 16,
            )  # fmt: skip
            states = []
            while not states or states[-1] != STOPPING:
                states.append(heard.recv(200).decode().split("\n")[0])
            run.wait()
    finally:
        desk.close()
    assert states.count(READY) == 1
    assert states.count(ALIVE) >= 2


class Prometheus:
    """A real Prometheus that scrapes one port each second."""

    def __init__(self, folder: Path, target: int) -> None:
        self.port = free_port()
        config = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
        config = config.replace("localhost:9090", f"127.0.0.1:{target}")
        config = config.replace("rules.yml", str(DEPLOY / "prometheus" / "rules.yml"))
        (folder / "prometheus.yml").write_text(config)
        with (folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus", f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/tsdb",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def query(self, expression: str) -> list[dict[str, object]]:
        asked = urllib.parse.urlencode({"query": expression})
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{asked}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            found: list[dict[str, object]] = json.load(answer)["data"]["result"]
        return found

    def wait_for(self, expression: str, secs: float) -> bool:
        give_up = time.monotonic() + secs
        while time.monotonic() < give_up:
            try:
                if self.query(expression):
                    return True
            except OSError:
                pass
            time.sleep(0.5)
        return False


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_a_real_prometheus_scrapes_a_run_and_alerts(tmp_path):
    """Every query of the dashboard finds data; a kill of the process fires, its return resolves."""
    desk = Desk(tmp_path)
    target = free_port()
    prometheus = Prometheus(tmp_path, target)
    try:
        desk.exchange("--speed", "10")
        run = desk.run("--metrics-port", str(target))
        run.wait_for("Parameter estimation warmed up")
        assert prometheus.wait_for("mm_orders_placed_total > 0", 30)
        assert prometheus.wait_for("rate(mm_orders_placed_total[1m])", 30)
        needs_time_or_events = ("mm_markout_bps", "mm_refusals_total")
        for panel in dashboard_script().dashboard()["panels"]:
            for one in panel["targets"]:
                expression = one["expr"].replace("$asset", "BTC")
                if not any(name in expression for name in needs_time_or_events):
                    assert prometheus.query(expression), expression

        run.kill()
        down = 'ALERTS{alertname="MarketMakerDown", alertstate="firing"}'
        assert prometheus.wait_for(down, 40)
        again = desk.run("--metrics-port", str(target))
        again.wait_for("Market maker started")
        assert prometheus.wait_for(f"absent({down})", 20)
    finally:
        prometheus.process.terminate()
        prometheus.process.wait()
        desk.close()
