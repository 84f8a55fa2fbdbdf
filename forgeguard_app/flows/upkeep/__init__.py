"""Upkeep: comparing our records with GitHub's, requeueing lost work, deleting old rows, and the doctor."""
