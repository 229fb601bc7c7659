"""The work of operators and of the daily round: redrive, housekeeping, queue depths.

Read `housekeeping` first, then `redrive`.
"""
