"""Watching jobs until they are over: the loop, the display, the rate."""
