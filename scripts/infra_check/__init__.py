"""Checks infra/: the Bicep compiler checks the templates, and this package checks what they evaluate to.

A shape is a set of parameters for which the deployment is checked. `infra/snapshots/` has a parameter file for each
shape, and beside it the snapshot: what Azure would create, evaluated by the compiler (`bicep snapshot`). Nothing here
reads Bicep.
"""
