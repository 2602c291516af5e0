"""What does GET /api/summary say, and how fresh is it?"""
