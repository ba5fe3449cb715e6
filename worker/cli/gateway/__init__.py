"""`ttsq serve`, `keys`, `hooks` and `webhooks`."""
