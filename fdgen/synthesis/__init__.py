"""From one face to one triplet: draw, render, measure, accept."""
