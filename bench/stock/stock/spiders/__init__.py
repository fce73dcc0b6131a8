"""Spiders of the stock recipe."""
