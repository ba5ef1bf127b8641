"""Sample data and the demo, for trying the service and for its tests."""
