"""A long run of the whole stack under faults, which checks that nothing is lost and nothing happens twice."""
