"""Checks infra/: the Bicep compiler checks the templates, this package their evaluated results.

`infra/snapshots/` has one parameter file for each shape worth keeping, and beside it what the compiler says that Azure
would create (`bicep snapshot`). Nothing here reads Bicep.
"""
