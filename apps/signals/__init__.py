"""Signals: strategies, and what each wants to hold."""
