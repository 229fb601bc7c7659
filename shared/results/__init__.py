"""What the app reports: result events, dead letters, log lines and telemetry.

Read `result` first (how a request ended), then `event` (its message on the output queue) and `publisher`.
"""
