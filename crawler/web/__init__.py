"""The desk: pages for people, made on the server. No image is shown, fetched or linked."""
