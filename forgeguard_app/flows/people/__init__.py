"""People who sign in: sessions, access, tokens, and the App's set-up."""
