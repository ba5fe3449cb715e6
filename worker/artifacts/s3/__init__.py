"""The store over S3."""
