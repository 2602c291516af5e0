"""In which words are chat and pager told how jobs stand?"""
