"""`ttsq doctor`."""
