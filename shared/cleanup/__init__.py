"""One job's clean-up: the event that asks for it, the listing page by page, and the event that closes it.

Read `event` first (what is asked), then `state` (what a message does about the row), `fan_out` (one page for each
message) and `record` (the row). `single_task` is about diagnostic records, which ask for one task alone.
"""
