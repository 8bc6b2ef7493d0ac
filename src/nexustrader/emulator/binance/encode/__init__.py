"""Binance's words: replies, events and market data, key for key."""
