"""One look at a real Batch account: does everything that Prepwatch reads come as Prepwatch expects it?"""
