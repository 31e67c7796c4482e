"""Which operating system user a child process runs as, for programs that refuse to run as root."""

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HELPER = "pgserver"


class SystemUserError(RuntimeError):
    """No user can be found or made to run a program as; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group by number, and whether running as them means to change from our own."""

    uid: int
    gid: int
    switches: bool

    def process_options(self) -> dict[str, Any]:
        """Return the arguments by which `subprocess.run` runs a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switches else {}


def is_root() -> bool:
    """Return whether this process runs as root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def owner_of(directory: Path) -> Account:
    """Return the account that owns or will own `directory`.

    That is ourselves, unless we are root: then the owner of an existing directory, or the system user `pgserver`, made
    when there is none. Raises `SystemUserError` when the directory is another user's and we are not root.
    """
    owner = directory.stat() if directory.exists() else None
    if not is_root():
        if owner is not None and owner.st_uid != os.geteuid():
            raise SystemUserError(
                f"{directory} belongs to user {owner.st_uid}, you are {os.geteuid()}. Run as that user, or set "
                "BANYAN_DATA_DIR to a folder of your own, or DATABASE_URL to a PostgreSQL server."
            )
        return Account(os.geteuid(), os.getegid(), switches=False)
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, switches=True)
    return _helper_account()


def _helper_account() -> Account:
    import pwd

    try:
        entry = pwd.getpwnam(_HELPER)
    except KeyError:
        try:
            subprocess.run(
                ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", _HELPER],
                check=True,
                capture_output=True,
                text=True,
            )
        except (OSError, subprocess.CalledProcessError) as problem:
            raise SystemUserError(
                f"PostgreSQL does not run as root, and the system user {_HELPER} cannot be made ({problem}). Add it, "
                "run as an ordinary user, or set DATABASE_URL to a PostgreSQL server."
            ) from problem
        entry = pwd.getpwnam(_HELPER)
    return Account(entry.pw_uid, entry.pw_gid, switches=True)


def everyone_may_enter(folder: Path) -> bool:
    """Return whether any user can pass through `folder` and every folder above it, as far as they exist."""
    return all(
        place.stat().st_mode & stat.S_IXOTH
        for place in (folder.absolute(), *folder.absolute().parents)
        if place.exists()
    )
