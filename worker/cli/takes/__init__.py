"""`ttsq takes`."""
