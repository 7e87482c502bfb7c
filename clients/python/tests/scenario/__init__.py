"""Runs the files of tests/scenarios."""
