"""The HTTP API and its doors: `ttsq serve`, `ttsq keys`, `ttsq hooks`, `ttsq webhooks`."""
