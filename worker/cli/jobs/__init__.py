"""`ttsq jobs`."""
