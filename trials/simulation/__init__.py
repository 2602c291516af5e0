"""The whole app on virtual time: every fault and every interleaving drawn from one seed."""
