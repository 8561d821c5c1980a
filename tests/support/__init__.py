"""What the tests share; each piece has a test of its own beside it."""
