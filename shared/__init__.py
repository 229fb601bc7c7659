"""The library of the app: what `function_app.py` calls and nothing else does."""

VERSION = "1.0.0.dev0"
"""The version of the app, which an operator copies into a ticket."""
