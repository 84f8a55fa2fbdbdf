"""Publishes stored verdicts: check runs on GitHub, and notices to owners."""
