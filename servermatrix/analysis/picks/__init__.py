"""What a search says: which cell to use, with the evidence for it; stored facts in, a PickReport out."""

from servermatrix.analysis.picks.judging import judge

__all__ = ["judge"]
