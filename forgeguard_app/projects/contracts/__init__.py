"""The ten contracts, rendered from the answers: one function a contract."""
