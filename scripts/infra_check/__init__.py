"""Checks infra/: the Bicep compiler judges the templates, this package what they come to.

`infra/snapshots/` has one parameter file for each shape worth keeping, and beside it what the compiler says that Azure
would create (`bicep snapshot`). Nothing here reads Bicep.
"""
