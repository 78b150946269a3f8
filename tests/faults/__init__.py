"""What befalls programs while they write: disks that refuse, and kills."""
