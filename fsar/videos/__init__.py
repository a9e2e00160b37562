"""Videos: sequential decoding, the frame store, temporal sampling and augmentation."""
