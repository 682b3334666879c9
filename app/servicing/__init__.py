"""Running loans on the web: settled early, taken back, charged, changed."""
