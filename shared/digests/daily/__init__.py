"""What of all that chat was told goes on, once a day?"""
