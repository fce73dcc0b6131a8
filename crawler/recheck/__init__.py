"""Re-visits: when a noticed hit is looked at again, what the answer means, and how long a removal took."""
