"""`ttsq script` and `ttsq cast`."""
