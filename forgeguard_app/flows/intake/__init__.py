"""What GitHub's deliveries start: audit runs, and records of installations, repositories and pull requests."""
