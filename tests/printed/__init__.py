"""What documents print for people to copy, tried as it stands."""
