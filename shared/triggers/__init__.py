"""What happens when the timer fires, or a nudge comes?"""
