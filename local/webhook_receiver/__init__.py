"""Receivers of webhooks for trying things: they verify, keep to the services' limits, record, and fail when told to.

They share no code with the app: what it signs and writes is checked by something that can't make the same mistake.
"""
