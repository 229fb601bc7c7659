"""What is remembered: the row of a request, its states, its counts, and the app's own work messages.

Read `state` first: the state machine is its docstring; `decisions` says what is done about a row, `store` does it.
`record` is the row, `entity` its columns, `work` the messages.
"""
