"""What comes of a Batch account that lies, and of secrets in its texts?"""
