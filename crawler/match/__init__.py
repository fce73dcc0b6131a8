"""Hash lists, and what is matched against them: importers, poison guards, index files, search, matcher, certainty."""
