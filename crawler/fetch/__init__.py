"""One request at a time, to one pinned address, under limits that no server can talk its way out of."""
