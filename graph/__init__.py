"""The mathematics of trust: flows, limits, calls. Plain values in, plain values out.

Nothing here knows of a database, a request or a clock. The README beside this file lists every
function with its formula, its cost and where it comes from.
"""
