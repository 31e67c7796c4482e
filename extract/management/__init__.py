"""Commands of the extraction."""
