"""What is known of a face besides its picture: its mesh, and maps that are drawn from landmarks."""
