"""What a host runs by hand: setup, doctor, database commands, secret files, health."""
