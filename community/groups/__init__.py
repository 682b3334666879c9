"""Joint-liability groups (联保小组): forming, understanding, signing, active."""
