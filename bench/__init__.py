"""Side-by-side benchmarks: each measures ours against a peer in the same run, on the same cores."""
