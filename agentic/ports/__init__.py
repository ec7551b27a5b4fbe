"""The ports: what an adapter implements, and what the kernel hands out. One file a port."""
