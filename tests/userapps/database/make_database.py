"""Makes the database that main.py reads, in the file that DATABASE names."""

import os
import sqlite3
from contextlib import closing

with closing(sqlite3.connect(os.environ["DATABASE"])) as database, database:
    database.execute("CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    database.executemany("INSERT OR REPLACE INTO items VALUES (?, ?)", [(1, "chair"), (2, "table"), (3, "lamp")])
