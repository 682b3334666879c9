"""The books on the web and on the command line."""
