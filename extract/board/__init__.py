"""The extraction in the console: each context's stage, what keeps it from the next, and how its sides differ."""
