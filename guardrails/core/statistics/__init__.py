"""Statistics: rates, differences, rankings, tests and power, each with an interval.

- ``intervals``: rates and their differences
- ``bootstrap``: items that share a cluster
- ``matches``: outputs that equal training items, beyond chance
- ``ranking``: scores of positives against scores of negatives
- ``graded``: rates that an imperfect grader measured
- ``testing``: exact and permutation tests, many at once
- ``power``: what a number of trials can show
"""

from __future__ import annotations

from .bootstrap import cluster_bootstrap
from .graded import CannotCorrect, GraderCounts, graded_difference, paired_graded_difference, rogan_gladen, youden
from .intervals import Interval, clopper_pearson, newcombe, paired_difference, wilson, worst_case
from .matches import Match, excess_matches
from .power import max_alarms, needed_n, smallest_detectable_rate
from .ranking import auc, delong, tpr_at_fpr
from .testing import holm, mcnemar, permutation_test, sign_test, simultaneous

__all__ = [
    "CannotCorrect",
    "GraderCounts",
    "Interval",
    "Match",
    "auc",
    "clopper_pearson",
    "cluster_bootstrap",
    "delong",
    "excess_matches",
    "graded_difference",
    "holm",
    "max_alarms",
    "mcnemar",
    "needed_n",
    "newcombe",
    "paired_difference",
    "paired_graded_difference",
    "permutation_test",
    "rogan_gladen",
    "sign_test",
    "simultaneous",
    "smallest_detectable_rate",
    "tpr_at_fpr",
    "wilson",
    "worst_case",
    "youden",
]
