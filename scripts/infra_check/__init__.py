"""Checks infra/ against what the app reads and the contract names, over the parsed Bicep.

Nothing here compiles Bicep: misspelt properties, wrong types and rules of the resource providers stay unseen
until `azd provision --preview` or a deployment.
"""
