"""What people use instead, each set up as its own documentation says and not crippled anywhere."""
