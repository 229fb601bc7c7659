"""The operations that Batch has and the simulator lacks, so that a client is told so instead of getting a 404."""

from __future__ import annotations

# As the official client for Python has them (azure-batch 15.1.0); `*` stands for an id, a name or a file's path.
_PATHS = {
    "applications": "GET",
    "applications/*": "GET",
    "poolusagemetrics": "GET",
    "supportedimages": "GET",
    "nodecounts": "GET",
    "pools": "GET POST",
    "pools/*": "DELETE GET HEAD PATCH",
    "pools/*/disableautoscale": "POST",
    "pools/*/enableautoscale": "POST",
    "pools/*/evaluateautoscale": "POST",
    "pools/*/resize": "POST",
    "pools/*/stopresize": "POST",
    "pools/*/updateproperties": "POST",
    "pools/*/removenodes": "POST",
    "pools/*/nodes": "GET",
    "pools/*/nodes/*": "GET",
    "pools/*/nodes/*/users": "POST",
    "pools/*/nodes/*/users/*": "DELETE PUT",
    "pools/*/nodes/*/reboot": "POST",
    "pools/*/nodes/*/start": "POST",
    "pools/*/nodes/*/reimage": "POST",
    "pools/*/nodes/*/deallocate": "POST",
    "pools/*/nodes/*/disablescheduling": "POST",
    "pools/*/nodes/*/enablescheduling": "POST",
    "pools/*/nodes/*/remoteloginsettings": "GET",
    "pools/*/nodes/*/uploadbatchservicelogs": "POST",
    "pools/*/nodes/*/extensions": "GET",
    "pools/*/nodes/*/extensions/*": "GET",
    "pools/*/nodes/*/files": "GET",
    "pools/*/nodes/*/files/*": "DELETE GET HEAD",
    "jobs/*": "PATCH PUT",
    "jobs/*/disable": "POST",
    "jobs/*/enable": "POST",
    "jobs/*/jobpreparationandreleasetaskstatus": "GET",
    "jobs/*/taskcounts": "GET",
    "jobs/*/tasks/*": "PUT",
    "jobs/*/tasks/*/subtasksinfo": "GET",
    "jobs/*/tasks/*/terminate": "POST",
    "jobs/*/tasks/*/reactivate": "POST",
    "jobs/*/tasks/*/files": "GET",
    "jobs/*/tasks/*/files/*": "DELETE GET HEAD",
    "jobschedules": "GET POST",
    "jobschedules/*": "DELETE GET HEAD PATCH PUT",
    "jobschedules/*/jobs": "GET",
    "jobschedules/*/disable": "POST",
    "jobschedules/*/enable": "POST",
    "jobschedules/*/terminate": "POST",
}
_METHODS = {tuple(path.split("/")): frozenset(methods.split()) for path, methods in _PATHS.items()}


def methods_of(segments: list[str]) -> frozenset[str]:
    """The methods that Batch has for this path and the simulator lacks; none for a path that Batch does not have."""
    shape = tuple("*" if index % 2 else segment for index, segment in enumerate(segments))
    return _METHODS.get(shape, frozenset()) | _METHODS.get((*shape[:-1], *segments[-1:]), frozenset())
