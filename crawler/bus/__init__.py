"""The other door to Redis: the embedded server, control of runs, sealed results, caches shared by workers."""
