"""Who is known to the platform: members, households, roles and tokens."""
