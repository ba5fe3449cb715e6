"""`ttsq batch`, `ttsq prune`: jobs that were handed in together, looked at, changed, fetched and cleared away."""
