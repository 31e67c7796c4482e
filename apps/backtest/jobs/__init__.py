"""Backtests, sweeps and walk-forwards that somebody asks for and comes back for: queued, worked off apart, kept."""
