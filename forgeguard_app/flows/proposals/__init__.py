"""Changes that ForgeGuard proposes to a repository: trials of a configuration, recorded violations, contracts."""
