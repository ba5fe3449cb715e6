"""Scheduled batches: when a schedule is due, and how its source becomes a batch, exactly once."""
