"""What is remembered, and where does it lie?"""
