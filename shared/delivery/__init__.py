"""How does a message reach its webhook, and what does an answer mean?"""
