"""What is asked of the watched pools?"""
