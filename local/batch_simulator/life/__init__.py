"""What happens in a simulated account by itself, drawn from a seed: jobs come and go, nodes work, break and heal."""
