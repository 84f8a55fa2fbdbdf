"""Runs git; nothing here knows of GitHub or of the database."""
