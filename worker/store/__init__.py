"""Tables and queries. SQL is the truth: every job, attempt, gate and lease is a row, and only this room speaks SQL."""
