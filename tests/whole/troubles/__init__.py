"""What does an account in trouble cost, and what is told of it?"""
