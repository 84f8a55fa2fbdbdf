"""A range of a repository in, a report out: the same for a push, a build and the command line."""
