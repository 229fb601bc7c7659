"""The least work in Python for one message without faults: the same four calls, prepared bytes on open sockets.

No client library, no check, no retry: nobody should run this. It shows how much rate and CPU there is to gain over the
rival, since the host and the emulator cost the same for all.
"""

import http.client
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import List  # noqa: UP035 -- the worker's indexing refuses Out[list[str]]
from urllib.parse import urlsplit

import azure.functions as func
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import AccountSasPermissions, ResourceTypes, generate_account_sas
from azure.identity import ManagedIdentityCredential

app = func.FunctionApp()

CONNECTION = "TaskDeleteStorage"
PARTS = dict(part.split("=", 1) for part in os.environ[CONNECTION].split(";") if part)
TABLE = urlsplit(f"{PARTS['TableEndpoint'].rstrip('/')}/{os.environ['REQUEST_TABLE_NAME']}")
SAS = generate_account_sas(
    AzureNamedKeyCredential(PARTS["AccountName"], PARTS["AccountKey"]),
    ResourceTypes(object=True),
    AccountSasPermissions(add=True, update=True, write=True),
    datetime.now(UTC) + timedelta(days=1),
)
ACCOUNT = urlsplit(os.environ["BATCH_ACCOUNT_URLS"])
TOKEN = ManagedIdentityCredential().get_token("https://batch.core.windows.net/.default").token
JSON = {"Content-Type": "application/json", "Accept": "application/json;odata=nometadata", "x-ms-version": "2019-02-02"}
INSERT = {**JSON, "Prefer": "return-no-content"}
DELETE = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
mine = threading.local()


def call(place: str, method: str, path: str, body: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
    """One call on this thread's own connection to the table or the account. Raises RuntimeError for a refusal."""
    connection = getattr(mine, place, None)
    if connection is None:
        connection = http.client.HTTPConnection((TABLE if place == "table" else ACCOUNT).netloc)
        setattr(mine, place, connection)
    connection.request(method, path, body, headers)
    answer: http.client.HTTPResponse = connection.getresponse()
    answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path.partition('?')[0]}: {answer.status}")
    return answer


@app.queue_trigger(
    arg_name="message", queue_name="%REQUEST_QUEUE_NAME%", connection=CONNECTION, data_type=func.DataType.BINARY
)
@app.queue_output(arg_name="result", queue_name="%RESULT_QUEUE_NAME%", connection=CONNECTION)
def delete_task(message: func.QueueMessage, result: func.Out[List[str]]) -> None:  # noqa: UP006
    """Inserts a row, deletes the task, merges the outcome, sends a result."""
    request = json.loads(message.get_body())
    row = request["clientRequestId"]
    claim = json.dumps({"PartitionKey": row[0], "RowKey": row, "state": "claimed", "taskId": request["taskId"]})
    etag = call("table", "POST", f"{TABLE.path}?{SAS}", claim, INSERT).headers["ETag"]
    path = f"/jobs/{request['jobId']}/tasks/{request['taskId']}?api-version=2024-07-01.20.0"
    call("account", "DELETE", path, None, DELETE)
    key = f"{TABLE.path}(PartitionKey='{row[0]}',RowKey='{row}')?{SAS}"
    call("table", "PATCH", key, '{"state":"done","status":200}', {**JSON, "If-Match": etag})
    result.set([json.dumps({"clientRequestId": row, "status": 200})])
