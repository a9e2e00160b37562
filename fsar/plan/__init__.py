"""The plan of a run: every path, every row of the tables and every figure, known before any job starts."""
