"""What are chat and pager told about pools?"""
