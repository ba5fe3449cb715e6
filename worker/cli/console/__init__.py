"""What commands print, ask and exit with."""
