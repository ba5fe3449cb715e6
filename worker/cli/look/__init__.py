"""Commands that only look: `ttsq status`, `ttsq events`, `ttsq voices`."""
