"""`python -m extract.demo`: risk carved out of a running app, broken, mended, killed, and brought back."""
