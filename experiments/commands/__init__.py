"""The command line, one file per command; `cli` assembles them."""
