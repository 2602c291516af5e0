"""What chat and pager are told about jobs, and when."""
