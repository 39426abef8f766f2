"""What became of each cell from the baseline to the candidate: Run -> CheckReport, and the decision between the two stages.

By numbers, swapping the sides mirrors every verdict: a regression becomes an improvement, and all else stays. These are meant to
be different:

- worse in one metric and better in the other is a regression, whichever side is which;
- failures of the candidate alone can be a regression; those of the baseline alone never are an improvement: once is inconclusive,
  for a cell with errors is never a baseline, and from twice on the cell has failed, but for one that never worked there and now
  does, which is new;
- failures that are in the second stage alone count for the baseline, and not for the candidate, which must have failed before;
- confirmed to be worse is a regression though the candidate failed at times; confirmed to be better is inconclusive then, and
  either is where it was the baseline that failed.
"""

from servermatrix.analysis.regress.judging import decide, judge
from servermatrix.analysis.regress.stages import ALARM_ALPHA, CONFIRM_ROUNDS, FIRST_ROUNDS, FLAG_ALPHA, WIDEST

__all__ = ["ALARM_ALPHA", "CONFIRM_ROUNDS", "FIRST_ROUNDS", "FLAG_ALPHA", "WIDEST", "decide", "judge"]
