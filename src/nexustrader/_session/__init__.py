"""Sessions: what went into the core of a run, in order, and the same core fed with it again.

The core is synchronous and on one thread, so a run is a sequence of inputs: data, facts from the venues, timers, steps
of tasks, answers, calls of the engine. Given the same inputs at the same readings of the clock it decides the same.
Recorder and player meet at the same places, the ports; everything between them is the engine's own code.
"""
