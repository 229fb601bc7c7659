"""`batch-task-deletion`: the Batch Task Deleter from a terminal or a script.

Read `main.py` first, then `commands/`; `client.py` is the only module that speaks HTTP.
"""

__version__ = "1.0.0"
