"""What do people ask, and what do they get?"""
