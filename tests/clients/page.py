"""The marked samples of docs/clients.md as programs, as a person would copy them."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from devstack.stack import ROOT

PAGE = ROOT / "docs" / "clients.md"
TASKS = [f"frame-{number:03}" for number in range(1, 9)]
JOBS = [
    {"id": "render-7", "state": "completed", "tasks": [{"id": task} for task in TASKS]},
    {"id": "render-8", "state": "completed", "tasks": [{"id": "frame-001"}]},
]
"""What the samples delete from."""

_SAMPLE = re.compile(r"<!-- runs -->\n```(\w+)\n(.*?)```", re.DOTALL)
# The local storage wants its connection string; the page shows how a client is made with an identity.
_PYTHON_QUEUES = """import os
from azure.storage.queue import QueueClient
requests_queue = QueueClient.from_connection_string(os.environ["STORAGE"], os.environ["REQUEST_QUEUE_NAME"])
results_queue = QueueClient.from_connection_string(os.environ["STORAGE"], os.environ["RESULT_QUEUE_NAME"])
"""
_SIGNED_IN = '--auth-mode login --account-name "$ACCOUNT"'
_JS_QUEUES = """import { QueueServiceClient } from "@azure/storage-queue";
const service = QueueServiceClient.fromConnectionString(process.env.STORAGE);
const requests = service.getQueueClient(process.env.REQUEST_QUEUE_NAME);
const results = service.getQueueClient(process.env.RESULT_QUEUE_NAME);
"""


def samples(folder: Path, node: str) -> list[tuple[str, list[str]]]:
    """Writes each marked sample into a file; yields its name and the command that runs it."""
    folder.mkdir(exist_ok=True)
    commands = {"python": [sys.executable], "js": [node], "sh": ["sh", "-eu"]}
    found = []
    page = PAGE.read_text(encoding="utf-8")
    for index, (language, text) in enumerate(_SAMPLE.findall(page)):
        if _wants_az(text) and not has_az():
            continue
        line = page.partition(text)[0].count("\n")
        file = folder / f"sample-{index}.{language}"
        own = text.replace(_SIGNED_IN, '--connection-string "$STORAGE"')
        file.write_text(_queues(language, text) + own, encoding="utf-8")
        found.append((f"docs/clients.md, {language}, line {line}", [*commands[language], str(file)]))
    return found


def has_az() -> bool:
    """Whether the Azure CLI is installed."""
    return shutil.which("az") is not None


def _wants_az(text: str) -> bool:
    return re.search(r"^az ", text, re.MULTILINE) is not None


def _queues(language: str, text: str) -> str:
    if language == "python" and "requests_queue" in text:
        return _PYTHON_QUEUES
    return _JS_QUEUES if language == "js" and "results.receiveMessages" in text else ""
