"""Commands that carry contexts out of the app."""
