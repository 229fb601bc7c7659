"""Azure Storage: adapters for tables and queues, which translate the libraries' errors at one point.

Read `table` first, then `queues`; `transport` sets the time-outs for both.
"""
