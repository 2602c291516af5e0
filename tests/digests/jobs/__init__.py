"""Tests of `shared.digests.pools`."""
