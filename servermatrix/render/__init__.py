"""Report -> text: pure and deterministic; nothing here measures, computes a statistic, prints or reads a file."""
