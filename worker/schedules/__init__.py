"""Back-office runs by the clock: when a schedule is due, and how its source becomes a batch, once."""
