"""Does the app keep its promises? `python -m trials.simulation` asks on virtual time, `python -m trials.soak` truly."""
