"""Stories in which each effect in turn goes wrong in each way, and what must come of it all the same."""
