"""The mail sink: the Email REST API of Azure Communication Services, and a page that shows what was sent."""
