"""Runs the networks of MediaPipe that find faces, landmarks and people, without MediaPipe."""
