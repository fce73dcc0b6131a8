"""The command line: one file per command group, thin: parse, call a service function, print."""
