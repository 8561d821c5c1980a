"""The gate: HTTP requests to sessions. Who is let in, how the endpoint sits in web.py, how a raw socket is obtained."""
