"""A demonstration of the main job on the local stack: real requests, real faults, every outcome checked."""
