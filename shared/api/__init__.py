"""The HTTP calls, one module for each resource, with their answers, queries and OpenAPI description.

Read `task_deletions` first; `answer` holds the shape of every answer.
"""
