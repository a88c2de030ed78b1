"""Speed and memory, as ratios against a peer or a physical limit of the same run."""
