"""What are chat and pager told about how things stand, and when not?"""
