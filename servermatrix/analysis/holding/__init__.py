"""Which rates the best cells of a race hold: whom to try, what to try next, and what was found; from stored facts alone."""

from servermatrix.analysis.holding.elapsed import unfinished
from servermatrix.analysis.holding.entrants import capacities, finalists, reserves
from servermatrix.analysis.holding.found import broke, held, told
from servermatrix.analysis.holding.search import following

__all__ = ["broke", "capacities", "finalists", "following", "held", "reserves", "told", "unfinished"]
