"""Processes: what runs in one, and the tree of them that makes a system."""

from banyan.process.roles import HostWorker, Role, Roles, Worker, run_roles
from banyan.process.supervisor import Supervisor, stop_with_supervisor

__all__ = ["HostWorker", "Role", "Roles", "Supervisor", "Worker", "run_roles", "stop_with_supervisor"]
