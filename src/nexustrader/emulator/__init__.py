"""Venues on loopback that speak the real wire protocol, with encoders of their own: nothing is shared with clients."""
