"""The Batch service: the client of the REST operations, its wire format, its tokens and its pace.

Read `client` first, then `reply`: what each answer means for a request.
"""
