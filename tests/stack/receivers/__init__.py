"""The local receivers: what each service would take, and what it would answer to the rest."""
