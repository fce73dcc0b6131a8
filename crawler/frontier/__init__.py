"""The frontier: which URL may be requested next, by whom, and what became of it. Contract in `base.py`."""
