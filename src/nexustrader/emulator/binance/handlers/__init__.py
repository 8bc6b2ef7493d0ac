"""What Binance does on request: the operations of both products, and how their parameters are read."""
