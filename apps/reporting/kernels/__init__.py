"""Loops over what reporting writes: columns to text, and lots into books."""
