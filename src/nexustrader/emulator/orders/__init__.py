"""Orders and accounts of an emulated venue: from a checked request to records, ledgers and user events."""
