"""The tests of shared/triggers."""
