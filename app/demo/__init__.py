"""A made-up cooperative to try the platform on."""
