"""The runtime's management commands."""
