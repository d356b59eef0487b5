"""Playing the games of the logs."""
