"""The dispatcher: the one place that decides when a job may start."""
