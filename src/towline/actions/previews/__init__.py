"""Previews: made, deployed, kept while they are used, and removed with all that belongs to them."""
