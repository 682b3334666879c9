"""What operators run: backups and their restoring, the worker of jobs, the check of settings."""
