"""`ttsq schedule`."""
