"""Sweeps: how the app finds finished work itself, by the policies of `parsing/retention_policy.py`.

Read `sweep` first (what is remembered of one), then `course` (what each answer of Batch makes of it) and `sweeper`
(one bounded step for each message). `agenda` says when an account is swept.
"""
