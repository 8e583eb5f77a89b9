"""Simulated participants that take part through the real pages, form by form."""
