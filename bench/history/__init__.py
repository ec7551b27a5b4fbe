"""How long a stored conversation takes to come back, and whether a cache in front of the storage could pay."""
