"""Wires the services together, and makes clients and credentials from the settings.

Read `services` first, then `connect`, which builds them once for each process.
"""
