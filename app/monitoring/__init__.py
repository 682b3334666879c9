"""Peer monitoring over HTTP."""
