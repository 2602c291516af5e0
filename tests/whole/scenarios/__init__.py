"""What people would have received, when: stories and their transcripts."""
