"""Data that crosses a boundary: requests, voices, jobs, problems. Data and its rules only, never I/O."""
