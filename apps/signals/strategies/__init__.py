"""The shipped strategies, one module each, named as the strategy is."""
