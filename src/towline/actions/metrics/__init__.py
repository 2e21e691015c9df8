"""What workloads use: sampled, kept within bounds, and read in steps that fit a picture."""
