"""The life of a request: accept, claim, attempt, record, and the poison queue.

Read `worker` first: it carries a message through `claiming` and `attempt`.
"""
