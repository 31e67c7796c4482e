"""The machine that this process runs on."""

from pathlib import Path


def boot_name() -> str:
    """Return a name of this run of the machine, from its start to its end; "" where there is none to be had."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return ""
