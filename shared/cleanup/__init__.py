"""One job's clean-up: the event that starts it, the listing page by page, and the event that closes it.

Read `event` first (what a caller sends), then `state` (what a message does to the row), `fan_out` (one page per message)
and `record` (the row). `single_task` handles diagnostic records, which are about a single task.
"""
