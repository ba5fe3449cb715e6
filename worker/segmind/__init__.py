"""The Segmind API: requests, answers and verdicts. Knows nothing of jobs or queues."""
