"""Thin spiders: `crawl` is what a worker runs, `probe` shows what discovery makes of one URL."""
