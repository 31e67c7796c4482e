"""Where live market data comes from: one port, and an adapter for each kind of source."""
