"""Stands in for the Azure Functions host (`func start`) where Core Tools can't be had.

Owns what the C# host does around a Python function app: settings, indexing, timers, queues, HTTP, admin and keys.
Does not own: the worker process (functions run in threads of this one), functionTimeout (the host kills the
worker process, a thread can't be killed), @app.retry, scale-out, secrets in blob storage, other triggers. The
schedule status of timers is a file per timer below the state directory, not a blob, and no lease guards it: one
host runs at a time, and after a kill it polls again at once, where the real one waits a minute for the lease.
"""
