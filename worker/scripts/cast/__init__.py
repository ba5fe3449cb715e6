"""Who speaks a script: roles with their voices, read from files, kept by name and version, or suggested."""
