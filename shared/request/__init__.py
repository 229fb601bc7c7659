"""Deletion requests, and the envelopes that carry one or many of them.

Read `model` first (the fields and their rules), then `envelope`.
"""
