"""What a process is given by its surroundings: addresses, the .env file, files that only its user may read."""
