"""Binance spot and USD-M: REST, streams and WebSocket API over one matching core. Start at `emulator.py`."""
