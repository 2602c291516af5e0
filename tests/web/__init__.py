"""The tests of shared/web."""
