"""What probes of written answers share: how answers are asked for and read, and how groups are compared."""
