"""The checks, as plain functions from values to values: no file, no clock, no network."""
