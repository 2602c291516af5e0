"""The tests of shared/batch."""
