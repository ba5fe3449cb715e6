"""What an installation runs and needs: `ttsq worker`, `ttsq migrate`, `ttsq emulator`."""
