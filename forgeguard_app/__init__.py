"""ForgeGuard: a GitHub App that audits every push for boundaries, dependencies and secrets."""

__version__ = "0.1.0"
