"""The table, its fake, and how both fail."""
