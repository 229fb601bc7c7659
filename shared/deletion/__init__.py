"""One request's way: accept, claim, attempt, settle, and the poison queue.

Read `worker` first: it carries a message through `claiming` and `attempt`.
"""
