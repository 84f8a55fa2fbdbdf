"""All that is done with git, through the git program: nothing here knows of GitHub or of the database."""
