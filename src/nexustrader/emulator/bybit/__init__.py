"""Bybit v5: REST, public, private and trade sockets over one unified account. Start at `emulator.py`."""
