"""Real servers for tests and benchmarks: Valkey, PostgreSQL, Swift's S3 and moto's, each a child process from a wheel.

They listen on 127.0.0.1 alone, keep their data in a temporary folder, and never outlive the process that started them.
"""
