"""`ttsq batch` and `ttsq prune`."""
