"""The decoders, a module for each. Only the chosen one is imported, so changes of others trigger no recomputation.

Each has a function `frames(path, scaler, timeout)` with the signature of `fsar.videos.decode.Decoder`.
"""
