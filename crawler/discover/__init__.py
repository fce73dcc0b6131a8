"""From a page's bytes to the URLs that a browser or a visitor would ask for next. Pure functions only."""
