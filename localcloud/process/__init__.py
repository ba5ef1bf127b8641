"""Starting, recording, watching and ending processes. Standard library only."""
