"""What a machine without Azure needs around the function app.

Storage (Azurite, supervised), the mail service (a sink that speaks the Email REST API) and the identity provider
(a development token issuer). Knows nothing of the app it serves.
"""
