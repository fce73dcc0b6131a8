"""Settings modules: values and dotted names only."""
