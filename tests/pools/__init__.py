"""The tests of shared/polling."""
