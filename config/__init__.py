"""Every setting of the platform, typed, documented and checked at start."""
