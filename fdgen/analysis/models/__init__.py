"""Trained models as small files, each next to a card: training data, accuracy, known failures."""
