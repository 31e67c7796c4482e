"""The demonstration: the live pipeline from real ticks to fills on paper, with data of its own."""
