"""How do bytes leave the process, and what comes back?"""
