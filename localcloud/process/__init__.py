"""Starting, watching and ending processes. Standard library only."""
