"""The Batch simulator against the real client library and the documented rules."""
