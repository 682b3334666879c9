"""Webhooks over HTTP: who is told (routes), and the telling (sending, work)."""
