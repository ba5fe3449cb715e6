"""A real cluster under load, hurt on purpose; then its whole history is held against the promises of the queue.

`python -m tests.chaos` disturbs at random by a seeded plan; `cycles`, `outages` and `partitions` each do one thing many
times or one after the other. What is found is printed with the history of every job concerned. Rows are only read.
"""
