"""The request table: a request's row, its states, its counts, and the app's own work messages.

Read `state` first: its docstring is the state machine. `decisions` decides what to do about a row, `store` does it.
`record` is the row, `entity` its columns, `work` the messages.
"""
