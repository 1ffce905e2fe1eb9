"""Do decisions differ between groups that several columns make together, such as older women of one region?

As `groups`, with every combination of the values of the columns as one group. Combinations are small: those with too
few rows are reported as insufficient evidence, and the intervals hold for all pairs of the others at once.
"""

from __future__ import annotations

from ..core.probe import Budget
from .groups import ROWS, Groups
from .metrics.measured import HEADLINE


class Intersections(Groups):
    """The largest gaps of selection and error rates between two combinations of groups."""

    options: Groups.Options  # for type checkers
    id = "fairness.intersections"
    title = "Decisions by combinations of groups"
    question = "Do selection rates and error rates differ between combinations of groups, such as sex with race?"
    limits = (
        "Compares rates between combinations of the columns that are named, in this table alone. Combinations are "
        "small and many: a gap must be larger to be seen than between the groups of one column, and what is not seen "
        "here may exist. A gap can have many causes, and this probe names none. Rows count as independent; labels are "
        "taken as true, though they may be biased themselves."
    )
    crossed = True
    gated = (HEADLINE,)
    sizes = ROWS | {Budget.CONTROL: 12_000}  # the smallest combination of the controls has one row in eight
