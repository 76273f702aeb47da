"""The generated messages of the seam between planners and engine; not public."""
