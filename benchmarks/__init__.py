"""What Prepwatch costs, measured side by side: `python -m benchmarks`."""
