"""An emulator of Segmind's API for demos, tests, rehearsals and benchmarks. Knows nothing about jobs or the queue."""
