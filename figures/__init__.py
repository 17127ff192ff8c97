"""What does it look like? One file per figure: each reads the results table and draws, nothing else."""
