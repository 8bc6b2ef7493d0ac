"""Bybit's sockets: public topics, the private stream, and orders over the trade socket."""
