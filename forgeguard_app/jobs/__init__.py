"""The other entrance: Procrastinate's tasks and the worker that runs them."""
