"""The tables. Their shape changes only through a migration."""
