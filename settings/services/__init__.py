"""Settings of services: each has its own context, its own database, and nothing else."""
