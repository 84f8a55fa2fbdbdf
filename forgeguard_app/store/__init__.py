"""Every SQL statement. Functions take the connection first; the caller owns the transaction."""
