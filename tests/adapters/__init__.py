"""The tests of shared/adapters."""
