"""Runs a builder: a stranger's program in a checkout of its own, with nothing of ours within reach."""
