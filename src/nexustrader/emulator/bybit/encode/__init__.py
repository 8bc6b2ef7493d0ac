"""Bybit's words: orders, executions, positions, wallets and market data, key for key."""
