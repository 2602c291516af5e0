"""What Azure Monitor and Prometheus are told to look for, and whether they would find it."""
