"""Which pools are watched, and which of their nodes can't work?"""
