"""What operators and the daily round do: redrive, housekeeping, queue depths.

Read `housekeeping` first, then `redrive`.
"""
