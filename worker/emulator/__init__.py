"""A stand-in for Segmind's API, for demos, tests, rehearsals and benchmarks. It knows nothing of jobs or of this queue.

`config` says how it behaves, `server` runs it, `admin` changes it from outside while it runs.
"""
