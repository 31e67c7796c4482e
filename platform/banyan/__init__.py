"""The runtime that every context shares. It knows no trading rule."""
