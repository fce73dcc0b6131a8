"""What Scrapy sees of the crawler, and the image lane beside it: leases come in, completions go out.

claimer -> (pages)  scheduler -> engine -> handler -> spider -> pipeline -> completer -> frontier
        -> (images) images lane  -> courier -> sandbox       -> completer -> frontier
admitter: frontier's discoveries -> resolve, scope, number -> frontier
"""
