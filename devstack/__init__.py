"""The local stack: stand-ins for the cloud services that the app talks to, never imported by the app."""
