"""All that is said to and heard from GitHub."""
