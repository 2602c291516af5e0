"""Tests of what is deployed: infra/, the package, the workflows."""
