"""The queue as a command finds it: opened, its batches and jobs looked up, its figures read."""
