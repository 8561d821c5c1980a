"""Codecs: bytes or text to values and back.

Pure and linear in their input. A decoder gives a value or raises `ProtocolError`, nothing else; an encoder is its exact
inverse.
"""
