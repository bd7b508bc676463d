"""A backtest as one HTML file: what it rests on, what came of it, and where the money went."""

from hypermm.report.page import report_writer, write_report

__all__ = ["report_writer", "write_report"]
