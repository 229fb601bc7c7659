"""The scripts that people and CI run in this repository."""
