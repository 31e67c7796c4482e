"""The web console: it shows what the contexts say of themselves, and asks them for what a person wants."""
