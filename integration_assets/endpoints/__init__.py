"""What others call here: small web applications around flows."""
