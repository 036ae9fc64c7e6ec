"""Scanning more vectors than fit in memory as floats: int8 stand-ins first, the exact ones of the best."""
