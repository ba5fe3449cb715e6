"""Audio files: container, completeness, measurements. Knows nothing of jobs."""
