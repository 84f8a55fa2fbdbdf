"""Shared by all flows: contexts of worker and web server, rate budgets, and access to a repository."""
