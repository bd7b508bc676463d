"""The report of a backtest: one file that stands alone and says first what it rests on."""

import re
import sys
import xml.etree.ElementTree as ET

import pytest

from hypermm import backtest
from hypermm.cli.main import main
from hypermm.errors import ConfigError
from hypermm.messages import Side
from hypermm.report import report_writer, write_report
from hypermm.report.page import render
from hypermm.report.plots import PLOTS

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def result():
    return backtest("synthetic:WLFI", seed=1, duration_secs=600.0)


@pytest.fixture(scope="module")
def page(result):
    return render(result)


def test_the_queue_model_stands_before_the_profit(page):
    """Whoever reads a profit has read what it rests on."""
    assert 0 < page.index("risk_averse") < page.index("profit, after fees")
    assert page.index("What this rests on") < page.index("<svg")


def test_a_report_needs_no_other_file(page):
    """It is sent by mail and opened in ten years."""
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', page)
    assert "@import" not in page


def test_every_plot_is_there_and_is_whole(page):
    """A broken drawing shows as nothing."""
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)

    assert len(drawings) == len(PLOTS)
    for one in drawings:
        root = ET.fromstring(one)
        assert root.get("viewBox")
        assert root.get("width") is None
        assert len(list(root.iter())) > 20


def test_split_digest_and_settings_are_in_the_report(page, result):
    """The figures of the table are those of the result."""
    assert result.digest in page
    assert f"{result.pnl_usd:+,.2f} USD" in page
    assert f"{result.splits[30.0].adverse:+,.3f}" in page
    assert "trading.risk_aversion" in page


def test_the_same_result_is_the_same_page(page, result):
    """Reports can be compared like digests."""
    assert render(result) == page


def test_a_run_without_a_fill_has_a_report_too():
    """The first question is then why, and the report answers it."""
    result = backtest("synthetic:WLFI", duration_secs=5.0)

    page = render(result)

    assert "Nothing was filled" in page
    assert next(iter(result.quoted[Side.BUY].reasons)) in page


def test_the_command_writes_it_and_trades_the_same(tmp_path, capsys):
    """A report is made of a run and changes nothing in it."""
    options = ["backtest", "synthetic:WLFI", "--duration", "60s"]
    file = tmp_path / "report.html"

    assert main(options) == 0
    plain = capsys.readouterr().out
    assert main([*options, "--out", str(file)]) == 0

    def digest(text):
        return re.search(r"^digest +([0-9a-f]{64})$", text, re.MULTILINE)[1]

    assert digest(plain) == digest(capsys.readouterr().out)
    assert digest(plain) in file.read_text()


def test_without_matplotlib_the_next_step_is_named(tmp_path, monkeypatch, capsys):
    """And at once, not after the run."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    status = main(["backtest", "synthetic:WLFI", "--out", str(tmp_path / "r.html")])

    assert status == 2
    assert "pip install 'hypermm[research]'" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_refused(tmp_path, result):
    """Before the run where that can be known, after it otherwise; never by a traceback."""
    with pytest.raises(ConfigError, match="there is no folder"):
        report_writer(tmp_path / "no" / "r.html")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_report(result, tmp_path)
