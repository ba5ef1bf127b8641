"""The mail sink: the Email REST API of Azure Communication Services, and pages that show what was sent."""

PREFIX = "/admin/devhost/mail"
"""The path below which people read mails and tests order faults and delivery reports."""
