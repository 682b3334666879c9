"""Member profiles and records of vouchers."""
