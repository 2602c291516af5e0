"""The tests of shared/changes."""
