"""Divides a document into parts, losslessly and repeatably."""
