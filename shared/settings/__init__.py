"""What is set, and what is wrong with it?"""
