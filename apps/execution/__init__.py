"""Execution: accounts, books, sizing, netting, orders, positions and the cash ledger."""
