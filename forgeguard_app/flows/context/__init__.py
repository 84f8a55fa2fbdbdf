"""What flows share: contexts of worker and web server, rate budgets, and how a repository is reached."""
