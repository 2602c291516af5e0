"""Fixtures that every test may ask for, and how hard Hypothesis looks."""

from datetime import timedelta

from hypothesis import settings

pytest_plugins = ["tests.support.azurite"]

# Every run tries the same cases, so that a red test is red again; `--hypothesis-profile=thorough` looks for new ones.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=60)
settings.register_profile("thorough", deadline=timedelta(seconds=5), max_examples=3_000)
settings.load_profile("repeatable")
