"""In which words is chat told how jobs stand?"""
