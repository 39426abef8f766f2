"""A race for the best cell: all cells at first, and at each look only those that may still be the best.

A cell is left out when it is surely worse than another; `outcome` calls those tied that were not. Both by one test, see duels.py.
"""

from servermatrix.analysis.race.became import Outcome
from servermatrix.analysis.race.judging import decide, outcome
from servermatrix.analysis.race.schedule import ENOUGH, ROUNDS, looks

__all__ = ["ENOUGH", "ROUNDS", "Outcome", "decide", "looks", "outcome"]
