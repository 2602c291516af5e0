"""What does Batch say?"""
