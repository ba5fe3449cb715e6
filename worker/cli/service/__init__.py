"""`ttsq worker`, `migrate`, `emulator` and `restore-check`."""
