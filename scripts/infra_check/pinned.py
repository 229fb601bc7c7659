"""What the templates may use: roles with their ids, and settings of the platform.

Add an entry here, after looking it up in the reference, before a template uses it. So a misspelt name in a template is
reported as a fault.
"""

from __future__ import annotations

import re

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
APP_ROLES = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
}
"""The roles of the app's identity, besides the one on the Batch accounts: all of these and no others."""

BATCH_ROLE = ("Azure Batch Job Submitter", "48e5e92e-a480-4e71-aa9c-2778f4c13781")
"""Assigned by the deployment, or by the account's owner with the command among the outputs."""

CALLER_ROLES = {
    "Storage Queue Data Message Sender": "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
    "Storage Queue Data Message Processor": "8a0f0c08-91a1-4084-bc3d-661d67233fed",
}
"""The roles of producers (including an Event Grid topic) and consumers, on individual queues."""

# https://learn.microsoft.com/azure/azure-functions/functions-app-settings
PLATFORM_SETTINGS = {
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
    "PYTHON_THREADPOOL_THREAD_COUNT",
}
"""Read by the host and the worker. On Flex Consumption, site properties replace FUNCTIONS_WORKER_RUNTIME and others."""

TELEMETRY_SETTINGS = {"PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY", "AzureFunctionsJobHost__telemetryMode"}
"""Set only if the app sends spans and metrics."""

APP_PRINCIPAL = re.compile(r"/deployments(?:/|', ')identity'\)?, '[\d-]+'\)\.outputs\.principalId\.value\]$")
"""The engine's expression for the app's own principal, seen from its group or from an account's."""

STAND_INS = {
    # https://learn.microsoft.com/azure/azure-resource-manager/bicep/bicep-functions-deployment#environment
    "[format('{0}/.default', environment().batch)]": "https://batch.core.windows.net//.default",
    ".accountEndpoint)), ',')]": "https://account.region.batch.azure.com",
    ".primaryEndpoints.queue]": "https://account.queue.core.windows.net/",
    ".primaryEndpoints.table]": "https://account.table.core.windows.net/",
    ".outputs.clientId.value]": "00000000-0000-4000-8000-000000000000",
}
"""For expressions that only a deployment can evaluate: values that the app's rules accept, by the expression's end."""
