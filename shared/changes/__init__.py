"""What is new on a job's nodes, and in which portions and transactions is it written?"""
