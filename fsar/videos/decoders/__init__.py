"""The decoders: a module for each, imported by its name, so that one that is not chosen decides nothing.

Each has a function `frames(path, scaler, timeout)` with the signature of `fsar.videos.decode.Decoder`.
"""
