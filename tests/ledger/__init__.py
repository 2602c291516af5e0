"""The tests of shared/ledger."""
