"""The tests of shared/nudges."""
