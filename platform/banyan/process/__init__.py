"""Processes: what runs in one, and the tree of them that makes a system."""

from banyan.process.apart import do_apart
from banyan.process.keeper import Body, Directory, Report
from banyan.process.nursery import Nursery
from banyan.process.owner import is_gone, own_name
from banyan.process.quiet import Quiet
from banyan.process.roles import CannotRunError, HostWorker, Listener, Part, Role, Roles, Worker, run_roles
from banyan.process.supervisor import Supervisor
from banyan.process.watchdog import Limits

__all__ = [
    "Body",
    "CannotRunError",
    "Directory",
    "HostWorker",
    "Limits",
    "Listener",
    "Nursery",
    "Part",
    "Quiet",
    "Report",
    "Role",
    "Roles",
    "Supervisor",
    "Worker",
    "do_apart",
    "is_gone",
    "own_name",
    "run_roles",
]
