"""What is remembered: the row of a request, its states, its counts, and the app's own work messages.

Read `state` first: the state machine is its docstring. `record` is the row, `entity` its columns.
"""
