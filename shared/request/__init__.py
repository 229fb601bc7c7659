"""What is asked: one deletion request, and the envelopes that carry one or many.

Read `model` first (the fields and their rules), then `envelope`.
"""
