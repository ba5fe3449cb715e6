"""The audio that the emulator returns."""
