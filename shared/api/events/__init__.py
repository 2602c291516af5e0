"""What is asked of what was told?"""
