"""The local stack: everything that `make run` starts beside the app itself."""
