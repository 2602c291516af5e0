"""The app with the parts around it."""
