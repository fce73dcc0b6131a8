"""Files of hash lists -> entries, one module per format; `detect.py` is the way in."""
