"""What a team would write in a day with the official clients: claim the id, delete the task, record how it ended.

It does the same work as the app for one message without faults: one insert, one DELETE, one merge, one result.
"""

import json
import os
from typing import Any, List  # noqa: UP035 -- the worker's indexing refuses Out[list[str]]

import azure.functions as func
from azure.batch import BatchClient
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.data.tables import TableServiceClient, UpdateMode
from azure.identity import ManagedIdentityCredential

app = func.FunctionApp()

CONNECTION = "TaskDeleteStorage"
table = TableServiceClient.from_connection_string(os.environ[CONNECTION]).get_table_client(
    os.environ["REQUEST_TABLE_NAME"]
)
batch = BatchClient(os.environ["BATCH_ACCOUNT_URLS"], ManagedIdentityCredential())
# The stub speaks plain http on the loopback address; over https the library needs no such option.
PLAIN: dict[str, Any] = {"enforce_https": False} if os.environ["BATCH_ACCOUNT_URLS"].startswith("http:") else {}


@app.queue_trigger(
    arg_name="message", queue_name="%REQUEST_QUEUE_NAME%", connection=CONNECTION, data_type=func.DataType.BINARY
)
@app.queue_output(arg_name="result", queue_name="%RESULT_QUEUE_NAME%", connection=CONNECTION)
def delete_task(message: func.QueueMessage, result: func.Out[List[str]]) -> None:  # noqa: UP006
    """Deletes the task that the message names, once per request id."""
    request = json.loads(message.get_body())
    request_id = request["clientRequestId"].lower()
    keys = {"PartitionKey": request_id[:1], "RowKey": request_id}
    try:
        table.create_entity({**keys, "state": "claimed", "jobId": request["jobId"], "taskId": request["taskId"]})
    except ResourceExistsError:
        return
    status = 200
    try:
        batch.delete_task(request["jobId"], request["taskId"], **PLAIN)
    except HttpResponseError as error:
        if error.status_code not in {404, 409, 412}:
            table.delete_entity(keys["PartitionKey"], keys["RowKey"])
            raise
        status = error.status_code
    table.update_entity({**keys, "state": "done", "status": status}, mode=UpdateMode.MERGE)
    result.set([json.dumps({"clientRequestId": request_id, "status": status})])
