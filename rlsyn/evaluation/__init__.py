"""Evaluation of synthetic records against the real train and test rows: fidelity, utility, privacy, constraints."""

from rlsyn.evaluation.console import print_scores
from rlsyn.evaluation.evaluation import Evaluation
from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.report import write_report
from rlsyn.evaluation.suite import check_held_out, evaluate
from rlsyn.evaluation.verdicts import verdicts

__all__ = [
    "Evaluation",
    "NotComputableError",
    "check_held_out",
    "evaluate",
    "print_scores",
    "verdicts",
    "write_report",
]
