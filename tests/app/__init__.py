"""The app as a whole: indexed by the production worker, run end to end on real parts."""
