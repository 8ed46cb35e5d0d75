"""Weights: four layouts of names, files of weights, and what is published."""
