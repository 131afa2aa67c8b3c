"""What figures look like, by kind. The only package that knows matplotlib."""
