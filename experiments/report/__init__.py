"""The report of a study, `paper_results.md`: one file per question, each answered from the table alone."""

from .document import render_report, write_report
from .words import Picture

__all__ = ["Picture", "render_report", "write_report"]
