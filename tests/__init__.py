"""What the tests prove is said in the first line of each."""
