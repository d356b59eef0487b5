"""What must not cost anyone their data: kills, full disks, odd files, hours of work."""
