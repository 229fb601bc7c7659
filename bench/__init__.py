"""Measurements against the local stack, side by side with what a team would use instead. Nothing here is a test."""
