"""Joint-liability groups over the web."""
