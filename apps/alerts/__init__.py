"""Alerts: rules that are data, looked at by one role, raised once and told to whoever can do something."""
