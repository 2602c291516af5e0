"""Prepwatch: tells you when a job preparation or release task fails on an Azure Batch node."""
