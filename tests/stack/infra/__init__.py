"""Tests of what is deployed: infra/ and the package."""
