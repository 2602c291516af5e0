"""How is a decision written down once, and found again?"""
