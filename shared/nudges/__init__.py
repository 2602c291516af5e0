"""How do the parts of Prepwatch wake one another, and wait for one another?"""
