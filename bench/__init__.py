"""Measurements against the local stack, side by side with what a user would take instead. Nothing here is a test."""
