"""What is told: result events, dead letters, log lines and telemetry.

Read `event` first (the message on the output queue), then `emission`.
"""
