"""The command line, one file per command; the only wing that knows all rooms, figures too, and that no other knows."""
