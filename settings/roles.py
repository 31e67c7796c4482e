"""What the system is made of when it runs: roles, their keys, and who gets which event."""
