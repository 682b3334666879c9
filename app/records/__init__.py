"""Credit records over the web and the command line."""
