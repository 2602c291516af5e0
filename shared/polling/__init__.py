"""Which jobs are looked at, what is new there, and how does a cycle go?"""
