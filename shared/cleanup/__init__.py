"""One job's clean-up: the event that asks for it, the listing page by page, and the event that closes it.

Read `event` first (what is asked), then `fan_out` (one page for each message) and `record` (its row).
"""
