"""The business day on the command line and on its clock."""
