"""One file per unit of work, each read from top to bottom; the function has the file's name."""
