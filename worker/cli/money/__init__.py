"""`ttsq quote`, `spend`, `budget` and `credits`."""
