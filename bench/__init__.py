"""Measurements against the local stack. Nothing here is a test; figures are quoted with the command that made them."""
