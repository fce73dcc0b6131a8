"""Who is answerable for a URL: registered domain, address tables, hoster and CDN."""
