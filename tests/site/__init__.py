"""The documentation as a site: `python -m tests.site FOLDER` builds it from docs/ and the code, without a network."""
