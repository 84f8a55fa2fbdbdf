"""Builds: phases that a builder works at, each audited before it is pushed."""
