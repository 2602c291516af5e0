"""The tests of shared/messages."""
