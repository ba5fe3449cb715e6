"""Many things under way at once, and a thread only for those that have work. Knows nothing of jobs."""
