"""Carriers: gevent I/O between one client and the hub. They know bytes, packets and deadlines, nothing of
applications.
"""
