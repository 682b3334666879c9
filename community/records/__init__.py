"""Portable credit records (信用共享): what a member lets another community or a bank know."""
