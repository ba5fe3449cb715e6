"""Tables, statements and queries. Every job, attempt, gate and lease is a row, and only this package writes SQL."""
