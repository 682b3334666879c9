"""The risk desk: guarantee circles, stress tests, concentration, alarms.

Reads the rows of lower rooms and writes only its own: what it found, when, from what. Nothing here
moves money or changes a loan; who acts on a finding does so in the room that owns the matter.
"""
