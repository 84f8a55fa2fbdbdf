"""Turns GitHub's deliveries into audit runs, and into records of installations, repositories and pull requests."""
