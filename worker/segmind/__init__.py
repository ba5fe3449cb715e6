"""The Segmind API: asking it to speak, what came back, and what that means. Knows nothing of jobs or queues."""
