"""Which incidents does a pager have, what is in each, and what does it say?"""
