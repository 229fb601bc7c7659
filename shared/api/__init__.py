"""The HTTP calls, one module per resource, with their responses, queries and OpenAPI description.

Read `task_deletions` first; `answer` defines calls and responses. `operations_page` serves the operator's page from the
files in `page/`: `main.js` starts it; `text.js`, `verdict.js` and `request.js` are pure.
"""
