"""A stand-in for one Azure Batch account: the REST operations that Prepwatch uses, over jobs that live.

It stands for the service towards clients; it knows nothing of Prepwatch.
"""
