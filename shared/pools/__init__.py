"""Which pools are watched, which of their nodes can't work, and can a job's tasks run?"""
