"""Reporting: it decides nothing, it remembers. Read models built from the logs of the other contexts."""
