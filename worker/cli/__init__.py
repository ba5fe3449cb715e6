"""The command line `ttsq`, for producers and operators. Holds no rule of the queue.

One folder per command group, one file per command; a command is imported when it runs. `console` holds output, prompts,
errors and exit codes; `database`, `snapshot` and `watch` are shared by several commands.
"""
