"""The outside world in small: servers on loopback that behave on the wire like the systems the product talks to.

Belongs here: one module per system, the town that lives in them, the switches for faults. The sandbox may use the
embedded database of the cache and the domain's words for people, and never the product's clients.
"""
