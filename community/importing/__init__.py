"""Bulk import of communities, people, ties and savings from CSV.

This room writes the tables of lower rooms directly, a column at a time, since calling their
services row by row would take minutes for a county. It keeps their rules itself: every check that
a service makes on one row is made here on every line before the first row is written, and the
database's constraints stand behind both. It sits above `credit`.
"""
