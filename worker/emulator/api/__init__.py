"""The emulator's HTTP endpoints."""
