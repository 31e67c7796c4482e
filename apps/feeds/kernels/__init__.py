"""Array functions of market data."""
