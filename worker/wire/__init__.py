"""Requests over HTTP that hold no thread while they wait for their answer."""
