"""The tests of shared/state."""
