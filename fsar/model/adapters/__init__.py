"""What is put into the blocks of a frozen backbone and trained there: a file per kind of adapter."""
