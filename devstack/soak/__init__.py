"""A long run of the whole stack under faults, which ends with figures: nothing lost, nothing twice."""
