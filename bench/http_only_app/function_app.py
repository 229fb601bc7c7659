"""The app with its queue functions paused, as `AzureWebJobs.<name>.Disabled` does in the cloud: HTTP calls alone."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import azure.functions as func

ROOT = Path(__file__).resolve().parents[2]


def load_app() -> func.FunctionApp:
    """The app of the repository, under another name, since this file has its own."""
    sys.path.insert(0, str(ROOT))
    spec = importlib.util.spec_from_file_location("whole_app", ROOT / "function_app.py")
    if spec is None or spec.loader is None:
        raise ImportError("the repository has no function_app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app: func.FunctionApp = module.app
    return app


class HttpOnly(func.FunctionApp):
    """Declares those functions of the whole app that HTTP triggers."""

    def get_functions(self) -> list[Any]:
        """Leaves out what a queue or a timer triggers."""
        return [f for f in load_app().get_functions() if f.is_http_function()]


app = HttpOnly()
