"""Proof with real parts: the app, Azurite, the Batch simulator and a receiver, while the network and processes die."""
