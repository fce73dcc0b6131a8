"""Image bytes in, fingerprints out: digests, PDQ codes and pHash, computed in memory and bounded."""
