"""What the shop sells."""

ITEMS = ("chair", "table", "lamp")
