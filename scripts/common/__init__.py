"""What the scripts that drive a running Deed share. Standard library only."""
