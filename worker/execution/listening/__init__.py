"""Listens to takes in processes of their own, so that neither calls in flight nor measurements notice."""
