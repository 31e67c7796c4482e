"""Risk: limits, reservations and trading state: what an account may do."""
