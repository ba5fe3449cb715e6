"""Output, prompts, errors and exit codes of the commands."""
