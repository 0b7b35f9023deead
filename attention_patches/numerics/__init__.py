"""Statistics, clustering and tensor files, which several rooms use."""
