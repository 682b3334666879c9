"""The business day: what is done on every loan at a day's end, in order, once."""
