"""What Bybit does on request: the operations, and how their parameters are read."""
