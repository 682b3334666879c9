"""The season calendar and declared events over HTTP and on the command line."""
