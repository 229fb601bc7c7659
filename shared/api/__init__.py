"""The HTTP calls, one module for each resource, with their answers, queries and OpenAPI description.

Read `task_deletions` first; `answer` holds the shape of every answer. `operations_page` serves the operator's page,
whose files lie in `page/`: `main.js` starts it, `text.js`, `verdict.js` and `request.js` are pure.
"""
