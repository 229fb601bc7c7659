"""What people and CI run in this repository besides the app itself."""
