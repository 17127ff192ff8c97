"""What is measured? Calibration matrices, studies as data, the runner, the table it fills, and the report."""
