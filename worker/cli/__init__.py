"""Producers and operators at a terminal: the command `ttsq`. No rule of the queue lives here.

A module per command, thin; what they do together stands beside them, and how things look apart from how they go.
"""
