"""A stand-in for the Azure Batch service: the jobs and tasks of one account behind its REST interface."""

from devstack.batch.faults import FaultRule
from devstack.batch.simulator import API_VERSION, BatchSimulator

__all__ = ["API_VERSION", "BatchSimulator", "FaultRule"]
