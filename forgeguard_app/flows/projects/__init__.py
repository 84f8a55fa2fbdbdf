"""Projects of people: their questionnaires and contracts."""
