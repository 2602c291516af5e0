"""The whole app over time."""
