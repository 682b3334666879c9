"""Shared credit lines (共享授信): what a community or a group may draw on together."""
