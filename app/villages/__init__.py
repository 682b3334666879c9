"""Real villages carried through the main job: see docs/real-data.md."""
