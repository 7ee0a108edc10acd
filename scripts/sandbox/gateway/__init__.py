"""The broker's Client Portal Web API, one file a family of paths."""
