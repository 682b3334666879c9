"""Network files of communities, on the command line and where limits are read."""
