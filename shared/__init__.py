"""The library of the app: what `function_app.py` calls and nothing else does."""
