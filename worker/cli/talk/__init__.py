"""How every command talks: streams, words for amounts and errors, questions, exit codes, signals."""
