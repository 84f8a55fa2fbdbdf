"""Talks to GitHub; no other room does."""
