"""The tests of shared/delivery."""
