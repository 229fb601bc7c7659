"""Text into values, strictly: JSON, ids, account URLs, job patterns.

Read `strict_json` first, then `grammar`: every id and duration of the wire is checked there.
"""
