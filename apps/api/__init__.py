"""The REST API: what clients, operators and their programs ask Banyan, and tell it."""
