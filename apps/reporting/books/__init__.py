"""Tradebook and orderbook of each account, as files that are only ever appended to."""
