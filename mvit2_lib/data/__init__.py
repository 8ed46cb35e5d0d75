"""Pictures: read from files, prepared for a model, and gathered in data sets."""
