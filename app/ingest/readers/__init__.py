"""One module for each format: blocks of bytes in, chunks of text columns out."""
