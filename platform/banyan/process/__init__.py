"""Processes: what runs in one, and the tree of them that makes a system."""

from banyan.process.owner import boot_name, is_gone, own_name
from banyan.process.quiet import Quiet
from banyan.process.roles import HostWorker, Listener, Part, Role, Roles, Worker, run_roles
from banyan.process.supervisor import Supervisor, stop_with_supervisor

__all__ = [
    "HostWorker",
    "Listener",
    "Part",
    "Quiet",
    "Role",
    "Roles",
    "Supervisor",
    "Worker",
    "boot_name",
    "is_gone",
    "own_name",
    "run_roles",
    "stop_with_supervisor",
]
