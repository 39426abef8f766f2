"""Right of the border: stored facts -> a report; nothing here starts, measures or prints."""
