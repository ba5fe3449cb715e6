"""Producers and operators at a terminal: the command `ttsq`. No rule of the queue lives here.

A folder per group of commands: `run`, `jobs`, `gates`, `look`, `money`, `doctor`, `service`. In it the module of a
command is thin and imports the rest only when it is given. What commands share: `queue` (found, looked up, counted),
`follow` (watched until it is over) and `talk` (streams, words, questions, errors, exit codes).
"""
