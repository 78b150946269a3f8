"""What is known of a face besides its picture: its mesh, maps drawn from it, and the space that many faces span."""
