"""Where audio lives: a local folder or any S3. Knows objects, keys and checksums; nothing of jobs or SQL."""
