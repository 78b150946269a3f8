"""Trained models as small files, each next to its card (data, accuracy, known failures), and what runs them."""
