"""The model: CLIP backbone, temporal transformer, prototypes, matching, and the methods that combine them."""
