"""Vangnet: a distributed crawler that finds known abuse imagery on servers in the Netherlands and keeps no image."""

__version__ = "0.1.0"
