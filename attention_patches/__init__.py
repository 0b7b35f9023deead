"""Attention control without a host: sites, patches, and the published methods, in torch alone."""
