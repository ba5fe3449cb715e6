"""What it costs: `ttsq quote` before, `ttsq spend` after, `ttsq budget` as the limit, `ttsq credits` as the means."""
