"""Is it fast? Against what the machine could do and against the published loop, as ratios measured in one run (`make benchmark`)."""
