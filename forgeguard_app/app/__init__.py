"""The composition root: the one place where the parts meet.

A module for each program, which loads what that program needs.
"""
