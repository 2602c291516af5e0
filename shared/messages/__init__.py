"""What is told, and in which form?"""
