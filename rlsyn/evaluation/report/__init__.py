"""The report of an evaluation: one HTML file, and its figures."""

from rlsyn.evaluation.report.report import write_report

__all__ = ["write_report"]
