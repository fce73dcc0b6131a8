"""Review: the states of a hit, the legal transitions between them, and what a decision needs."""
