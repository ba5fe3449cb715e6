"""The production shape on loopback: PostgreSQL, Redis, S3, an emulator and real Celery workers, each its own process.

For end-to-end tests, benchmarks and chaos. Settings are the only thing in which it differs from production.
"""
