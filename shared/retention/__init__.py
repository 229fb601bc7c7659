"""Sweeps: the app finds finished tasks itself, by the policies of `parsing/retention_policy.py`.

Read `sweep` first (the state of a sweep), then `course` (how each response of Batch changes it) and `sweeper` (one
bounded step per message). `agenda` decides when an account is swept.
"""
