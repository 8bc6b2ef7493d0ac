"""The matching engine at native speed: same rules, same reports, same state hash as `sim.matching`.

Importing this package costs nothing; `engine` and `play` need numba (extra `backtest`).
"""
