"""Early warning: how likely a loan is to come into trouble soon, and why."""
