"""A GitHub on loopback: its state, its REST API, its git over HTTP and its webhooks. It imports nothing of ours."""
