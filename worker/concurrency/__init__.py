"""Threads, coroutines and timers. Knows no jobs."""
