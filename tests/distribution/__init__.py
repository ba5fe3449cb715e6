"""What is shipped, built and installed as a stranger would do it, and run outside the checkout."""
