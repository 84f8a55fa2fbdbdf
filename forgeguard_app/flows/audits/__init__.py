"""Evaluates a head against its base and stores the verdict."""
